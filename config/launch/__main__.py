"""`python -m config.launch COMMAND`: what the Makefile calls, once `.venv` is there."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from config.launch import commands, messages, quality, testing
from config.launch.backup import backup
from config.launch.console import LaunchError, say
from config.launch.environment import ROOT
from config.launch.restore import restore

COLLECT = ("makemessages", "--locale=fr", "--no-obsolete", "--add-location=file")
OUTSIDE = (".venv/*", "var/*", "tests/*")


def collect_messages() -> int:
    """Collect the texts to translate with gettext's tools."""
    command = [
        sys.executable,
        "manage.py",
        *COLLECT,
        *(f"--ignore={pattern}" for pattern in OUTSIDE),
    ]
    with quality.throwaway_settings() as environment:
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def compile_messages() -> int:
    say(f"{messages.compile_changed(ROOT / 'locale')} catalogues compiled")
    return 0


def measure(module: str, arguments: Sequence[str]) -> int:
    """Measure in a process of its own: `bench` is no part of the product."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def commands_for(arguments: Sequence[str]) -> Mapping[str, Callable[[], int]]:
    return {
        "run": partial(commands.start, "run"),
        "rehearse": partial(commands.start, "rehearse"),
        "serve": partial(commands.start, "serve"),
        "backup": partial(backup, arguments),
        "restore": partial(restore, arguments),
        "test": partial(testing.test, arguments),
        "test-real": partial(testing.test_real, arguments),
        "bench": partial(measure, "bench", arguments),
        "bench-accounts": partial(measure, "bench.accounts", arguments),
        "check": quality.check,
        "fix": quality.fix,
        "messages": collect_messages,
        "compilemessages": compile_messages,
    }


def main(arguments: Sequence[str]) -> int:
    known = commands_for(arguments[1:])
    command = known.get(arguments[0]) if arguments else None
    if command is None:
        say(f"usage: python -m config.launch {{{','.join(known)}}}")
        return 2
    try:
        return command()
    except LaunchError as error:
        print(error, file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"{error.filename} belongs to another user: run as that one,"
            " or name another data folder with VAR=/path",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
