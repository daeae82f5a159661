"""The whole product as a newcomer has it: `run` in a folder of its own, on a free port, killed part by part.

A launcher's child is found by what its command line says, and only children of that launcher are ever touched.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg

from config.demo.files import free_ports
from config.launch.environment import SECRETS
from tests.support.factors import one_time_code
from tests.support.processes import children, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 150.0
MARKS = {
    "router": "routing.gateway",
    "portal": "config.portal",
    "clerk": "clerk",
    "worker": "qcluster",
    "simulator": "routing.simulator",
    "postgres": "postgres",
}


class Product:
    """One running copy; `demo` is what it wrote into `demo.json`."""

    def __init__(self, folder: Path, command: str = "run") -> None:
        self.var = folder / "var"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.output = folder / "output"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "SECRET_KEY", "PEPPER", "ENCRYPTION_KEY", "MAKELEVEL"}
            and not name.startswith("PYTEST")
        }
        self._environment = {
            **inherited,
            "PORT": str(self.port),
            "VAR": str(self.var),
            "RUN_DIR": str(folder / "run"),
        }
        self._command = [sys.executable, "-m", "config.launch", command]
        self.launcher: subprocess.Popen[bytes] | None = None

    @property
    def demo(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.var / "demo.json").read_text())
        return found

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.launcher = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=output, stderr=output
            )
        shown = self.output.stat().st_size
        wait_for(lambda: self._is_up(shown), "the product to start", START_SECONDS)

    def stop(self) -> int:
        """End it as Ctrl-C does; return the launcher's exit code."""
        if self.launcher is None:
            return 0
        if self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGINT)
        code = self.launcher.wait(90)
        self.launcher = None
        return code

    def pid(self, name: str) -> int:
        """Return the process of a part. Raises `LookupError` while there is none."""
        assert self.launcher is not None
        for pid in children(self.launcher.pid):
            if MARKS[name] in command_line(pid):
                return pid
        raise LookupError(name)

    def kill(self, name: str) -> None:
        """`kill -9` a part and wait until its successor is there."""
        before = self.pid(name)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self._successor(name, before), f"another {name}")

    def launch(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the launcher's on this copy, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "config.launch", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command on this copy, to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self._environment, **self.management_environment()},
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_ready(self) -> None:
        for path in ("/health/readiness", "/health/portal"):
            wait_for(partial(is_ok, self.address + path), path, 60)

    def management_environment(self) -> dict[str, str]:
        """Return what a management command needs to mean this copy: its secrets and database lie in VAR."""
        url = (self.var / "database_url").read_text().strip()
        secrets = {
            name: (self.var / "secrets" / name.lower()).read_text().strip() for name in SECRETS
        }
        return {**secrets, "VAR": str(self.var), "DATABASE_URL": url, "PORT": str(self.port)}

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        url = (self.var / "database_url").read_text().strip()
        with psycopg.connect(url) as connection:
            return connection.execute(statement, parameters).fetchall()

    def _is_up(self, shown: int) -> bool:
        assert self.launcher is not None
        text = self.output.read_bytes()[shown:].decode(errors="replace")
        assert self.launcher.poll() is None, f"the launcher ended:\n{text}"
        return "Stop: Ctrl-C" in text

    def _successor(self, name: str, before: int) -> bool:
        try:
            return self.pid(name) != before
        except LookupError:
            return False


@contextmanager
def running(command: str = "run") -> Iterator[Product]:
    """Yield a running copy in a temporary folder with a short path; nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="ilaas-e2e-"))
    product = Product(folder, command)
    try:
        product.start()
        yield product
    finally:
        product.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def signed_in(address: str, who: Mapping[str, Any]) -> Iterator[httpx.Client]:
    """Yield a client of the pages, signed in with an account of `demo.json`."""
    with httpx.Client(
        base_url=address, follow_redirects=True, timeout=20, trust_env=False
    ) as portal:
        page = portal.get("/account/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        form = {"login": who["email"], "password": who["password"]}
        answer = portal.post("/account/login/", data={**form, "csrfmiddlewaretoken": token[1]})
        if secret := who.get("totp_secret"):
            form = {
                "code": one_time_code(secret),
                "csrfmiddlewaretoken": portal.cookies["csrftoken"],
            }
            answer = portal.post("/account/2fa/authenticate/", data=form)
        assert answer.status_code == 200
        assert "/account/" not in str(answer.url)
        yield portal


def free_port() -> int:
    """Return a port below those of outgoing connections, so that none of these takes it meanwhile."""
    return free_ports(1)[0]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
