"""`test` and `test-real`: brings a browser, then becomes pytest, whose plugin starts PostgreSQL."""

import os
import sys
from collections.abc import Sequence

from config.launch import messages
from config.launch.browser import find_browser
from config.launch.console import say
from config.launch.environment import ROOT

WORKERS = 2
NO_BROWSER = "/nonexistent"


def test(arguments: Sequence[str]) -> int:
    """Run the tests; those that need a browser fail when there is none."""
    messages.compile_changed(ROOT / "locale")
    browser = find_browser(os.environ)
    os.environ["BROWSER_PATH"] = str(browser or NO_BROWSER)  # looked for once, not by each test
    if browser is None:
        say(
            "! No browser was found or could be installed: the tests that need one will fail;"
            " name a Chromium with BROWSER_PATH=/path/to/chromium"
        )
    return become_pytest("-n", str(WORKERS), "--dist", "loadgroup", *arguments)


def test_real(arguments: Sequence[str]) -> int:
    messages.compile_changed(ROOT / "locale")
    return become_pytest("tests/real", *arguments)


def become_pytest(*arguments: str) -> int:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])
