"""`check` and `fix`: every tool that judges the code, one line each."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from config.launch import messages
from config.launch.console import say
from config.launch.environment import ROOT, new_fernet_key, new_token

LINT_IMPORTS = (
    "import sys; from importlinter.cli import lint_imports_command as main; sys.exit(main())"
)
CHECKS: Mapping[str, tuple[str, ...]] = {
    "format": ("-m", "ruff", "format", "--check", "."),
    "lint": ("-m", "ruff", "check", "."),
    "types": ("-m", "mypy", "."),
    "import order": ("-c", LINT_IMPORTS),
    "template format": ("-m", "djlint", "--check", "--quiet", "templates"),
    "template lint": ("-m", "djlint", "--lint", "--quiet", "templates"),
    "django": ("manage.py", "check", "--fail-level=WARNING"),
    "migrations": ("-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run"),
}
FIXES: Mapping[str, tuple[str, ...]] = {
    "lint": ("-m", "ruff", "check", "--fix", "--quiet", "."),
    "format": ("-m", "ruff", "format", "."),
    "templates": ("-m", "djlint", "--reformat", "--quiet", "templates"),
}
AT_ONCE = 2


def check() -> int:
    """Run every check, even after one has failed; return 1 if any has."""
    messages.compile_changed(ROOT / "locale")
    with throwaway_settings() as environment, ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {name: pool.submit(run, command, environment) for name, command in CHECKS.items()}
        verdicts = [report(name, *future.result()) for name, future in runs.items()]
    verdicts.append(check_translations())
    return 0 if all(verdicts) else 1


def fix() -> int:
    with throwaway_settings() as environment:
        verdicts = []
        for name, command in FIXES.items():
            code, output, seconds = run(command, environment)
            # djlint answers 1 when it has put something right.
            verdicts.append(report(name, 0 if name == "templates" else code, output, seconds))
    return 0 if all(verdicts) else 1


def check_translations() -> bool:
    started = time.monotonic()
    missing = messages.missing_translations(ROOT / "locale")
    return report(
        "translations", int(bool(missing)), "\n".join(missing), time.monotonic() - started
    )


def run(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, str, float]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, time.monotonic() - started


def report(name: str, code: int, output: str, seconds: float) -> bool:
    """Say a check's verdict, and what it found only when that is bad news."""
    if code:
        say(output.rstrip())
    say(f"{'FAILED' if code else 'ok':<7} {name} ({seconds:.1f} s)")
    return code == 0


@contextmanager
def throwaway_settings() -> Iterator[dict[str, str]]:
    """Yield an environment for Django's settings, with no real secret, database or data."""
    with tempfile.TemporaryDirectory(prefix="ilaas-check-") as var:
        yield {
            **os.environ,
            "VAR": var,
            "RUN_DIR": var,
            "SECRET_KEY": new_token(),
            "PEPPER": new_token(),
            "ENCRYPTION_KEY": new_fernet_key(),
            "DATABASE_URL": f"postgresql:///ilaas?host={Path(var) / 'none'}",
        }
