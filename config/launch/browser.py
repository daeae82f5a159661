"""Finds a Chromium for the tests, or installs one: the machine's, Debian's, Playwright's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from config.launch.console import say, stage

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VERSION_SECONDS = 30
INSTALL_SECONDS = 900
# `apt` may be at work already: wait for it rather than fail.
APT = ("apt-get", "-y", "-qq", "-o", "DPkg::Lock::Timeout=300")


def find_browser(environ: Mapping[str, str]) -> Path | None:
    """Return a browser that starts; BROWSER_PATH names one to be used before all others."""
    if named := environ.get("BROWSER_PATH"):
        path = Path(named)
        return path if starts(path) else None
    found = next((path for path in present() if starts(path)), None)
    return found or install_one()


def present() -> Iterator[Path]:
    for name in NAMES:
        if path := shutil.which(name):
            yield Path(path)
    yield from playwright_own()


def playwright_own() -> Iterator[Path]:
    """Yield Playwright's own browser. In a process of its own: its driver must not stay behind."""
    code = (
        "from playwright.sync_api import sync_playwright as s\n"
        "with s() as p: print(p.chromium.executable_path)"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    path = Path(shown.stdout.strip() or "/nonexistent")
    if path.exists():
        yield path


def starts(path: Path) -> bool:
    """Tell a browser from a wrapper that only says how to install one."""
    try:
        shown = subprocess.run(
            [path, "--version"], capture_output=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return shown.returncode == 0


def install_one() -> Path | None:
    ways: tuple[Callable[[], bool], ...] = (install_debian, install_playwright)
    for way in ways:
        if way() and (path := next((path for path in present() if starts(path)), None)):
            return path
    return None


def install_debian() -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    stage("Installing Debian's Chromium for the tests, once")
    install = [*APT, "install", "--no-install-recommends", "chromium"]
    return succeeds(install) or (succeeds([*APT, "update"]) and succeeds(install))


def install_playwright() -> bool:
    stage("Downloading Playwright's Chromium for the tests, once")
    return succeeds([sys.executable, "-m", "playwright", "install", "chromium"])


def succeeds(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            timeout=INSTALL_SECONDS,
            text=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"  {error}")
        return False
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if any(map(str.isalpha, line))]
        say(f"  {Path(command[0]).name}: {lines[-1] if lines else 'failed'}")
    return done.returncode == 0
