"""A browser for the tests: one that starts, the machine's before an installed one."""

from pathlib import Path

import pytest

from config.launch import browser
from config.launch.browser import find_browser


def program(folder: Path, name: str, code: int = 0) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose programs lie in one empty folder, and that nothing can be installed on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "playwright_own", lambda: iter(()))
    monkeypatch.setattr(browser, "install_debian", lambda: False)
    monkeypatch.setattr(browser, "install_playwright", lambda: False)
    return tmp_path


def test_the_named_browser_goes_before_all_others(machine: Path) -> None:
    program(machine, "chromium")
    named = program(machine, "mine")
    assert find_browser({"BROWSER_PATH": str(named)}) == named


def test_a_named_browser_that_is_missing_is_not_replaced(machine: Path) -> None:
    program(machine, "chromium")
    assert find_browser({"BROWSER_PATH": str(machine / "typo")}) is None


def test_a_wrapper_that_does_not_start_is_passed_over(machine: Path) -> None:
    program(machine, "chromium-browser", code=1)
    chrome = program(machine, "google-chrome")
    assert find_browser({}) == chrome


def test_one_is_installed_when_there_is_none(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def debian() -> bool:
        tried.append("debian")
        return False

    def playwright() -> bool:
        tried.append("playwright")
        program(machine, "chrome")
        return True

    monkeypatch.setattr(browser, "install_debian", debian)
    monkeypatch.setattr(browser, "install_playwright", playwright)
    assert find_browser({}) == machine / "chrome"
    assert tried == ["debian", "playwright"]


@pytest.mark.usefixtures("machine")
def test_no_browser_at_all_is_said() -> None:
    assert find_browser({}) is None
