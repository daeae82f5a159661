"""A real Chromium before the real portal, for the tests of `tests/e2e/`, whose `conftest.py` names the fixtures.

The portal is the product's own ASGI application in a process of its own, with the static files as they are
served, on the test's database. Every page watches what the browser complains of, and a test ends with none.

    def test_something(visit):
        page = visit("/usage/", as_=cast.rennes_user)
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg.conninfo
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from config.launch.browser import find_browser
from federation.people.models import User
from tests.support.factors import sign_in_fully
from tests.support.processes import wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1440, "height": 900}
Theme = Literal["light", "dark"]
Visit = Callable[..., Page]
SETTLED_SECONDS = 2.0
Look = tuple[ViewportSize, Theme]
EVERY_LOOK: tuple[Look, ...] = ((WIDE, "light"), (WIDE, "dark"), (PHONE, "dark"), (PHONE, "light"))
"""In an order in which each changes one thing only, and the last leaves the colours of the first."""
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""
AXE = f"window.bringAxe = function () {{ {Axe().axe_script} }};"
"""Told to the browser once, not by each page; a page that is not looked at does not run it."""
BRING_AXE = "() => { if (!window.axe) window.bringAxe?.(); return Boolean(window.axe); }"


@dataclass(frozen=True)
class Portal:
    """`run_dir` is where it looks for the router's socket."""

    url: str
    run_dir: Path


@dataclass
class Complaints:
    """What the browser complained of; a test that provokes one takes it off with `forgive`."""

    told: list[str] = field(default_factory=list)

    def forgive(self, part: str) -> None:
        assert any(part in one for one in self.told), f"nobody complained of {part}: {self.told}"
        self.told = [one for one in self.told if part not in one]


@pytest.fixture(scope="session")
def portal_process(django_db_setup: None) -> Iterator[Portal]:
    """Serve the product's pages on a free port until the session ends."""
    collect_static_files()
    run_dir = Path(tempfile.mkdtemp(prefix="ilaas-portal-"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = {**os.environ, "RUN_DIR": str(run_dir), "PUBLIC_URL": url}
        environment["DATABASE_URL"] = psycopg.conninfo.make_conninfo(
            os.environ["DATABASE_URL"], dbname=connection.settings_dict["NAME"]
        )
        command = ["-m", "daphne", "--fd", str(listener.fileno()), "config.asgi:application"]
        with (run_dir / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=environment, stdout=log, stderr=log,
                pass_fds=[listener.fileno()],
            )  # fmt: skip
    try:
        wait_for_answer(url, run_dir / "log")
        yield Portal(url, run_dir)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture
def portal(portal_process: Portal, transactional_db: None) -> Portal:
    """The portal, seeing what this test writes."""
    return portal_process


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium per module: its interface would keep the thread's loop from other modules' async tests."""
    path = find_browser(os.environ)
    if path is None:
        pytest.fail("no browser: name a Chromium with BROWSER_PATH", pytrace=False)
    # The interface marks a loop as running in this thread though nothing runs in it; Django need not mind.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            yield chromium
            chromium.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    found = Complaints()
    yield found
    assert not found.told, "\n".join(found.told)


@pytest.fixture
def visit(browser: Browser, portal: Portal, complaints: Complaints) -> Iterator[Visit]:
    """Open a page of the portal as a browser of its own: signed in, in a language, in light or dark."""
    contexts = []

    def open_page(
        path: str = "/",
        *,
        as_: User | None = None,
        language: str = "en",
        theme: Theme = "light",
        size: ViewportSize = DESKTOP,
    ) -> Page:
        context = browser.new_context(
            base_url=portal.url,
            locale=language,
            color_scheme=theme,
            viewport=size,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.add_init_script(REPORT_VIOLATIONS)
        context.add_init_script(AXE)
        if as_ is not None:
            context.add_cookies([session_cookie(as_, portal)])
        page = context.new_page()
        listen(page, complaints)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def session_cookie(user: User, portal: Portal) -> Any:
    """Sign in without the form, which has tests of its own."""
    client = sign_in_fully(Client(), user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": portal.url}


def listen(page: Page, complaints: Complaints) -> None:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.told.append(f"{page.url}: {message.text}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.told.append(f"{page.url}: {error}"))


def accessibility_problems(page: Page) -> list[str]:
    """Return what axe's rules, best practices included, find on the page: rule, place, what is wrong."""
    inject_axe(page)
    return violations(page)


def inject_axe(page: Page) -> None:
    """Bring axe into the page, once for every look at it."""
    if not page.evaluate(BRING_AXE):  # in a browser of the test's own
        page.evaluate(Axe().axe_script)


NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
RUN_AXE = """
axe.run({ resultTypes: ["violations"], preload: false }).then((told) => told.violations)
"""


def violations(page: Page) -> list[str]:
    """Return what axe finds on the page as it looks now."""
    found = page.evaluate(RUN_AXE)
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found
        for node in rule["nodes"]
    ]


def change_colours(page: Page, theme: Theme) -> None:
    """Have the system ask for other colours, and wait until the page has them."""
    page.emulate_media(color_scheme=theme)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)


def looked_at(page: Page, looks: Sequence[Look] = EVERY_LOOK) -> Iterator[str]:
    """Yield what is wrong with the page that is open, at each width and in each colours, the last of which it keeps."""
    inject_axe(page)
    for size, theme in looks:
        page.set_viewport_size(size)
        page.evaluate(NEXT_FRAME)  # what follows the width has followed it
        change_colours(page, theme)
        if size is PHONE and stays_too_wide(page):
            yield "scrolls sideways"
        for problem in violations(page):
            yield f"{size['width']} {theme} {problem}"


def stays_too_wide(page: Page) -> bool:
    """Charts follow a new width a moment later."""
    with suppress(AssertionError):
        wait_for(lambda: not scrolls_sideways(page), "the page to fit", SETTLED_SECONDS)
    return scrolls_sideways(page)


def scrolls_sideways(page: Page) -> bool:
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide


def collect_static_files() -> None:
    """Collect them once for all workers of the session, as `make run` does."""
    target = Path(settings.STATIC_ROOT)
    with (target.parent / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "staticfiles.json").exists():
            command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
            subprocess.run(command, cwd=ROOT, check=True)


def wait_for_answer(url: str, log: Path) -> None:
    """The socket listens already: the first request waits until the portal is there."""
    with suppress(httpx.HTTPError):
        if httpx.get(f"{url}/health/portal", timeout=START_SECONDS, trust_env=False).is_success:
            return
    raise AssertionError(f"the portal did not start:\n{log.read_text()}")
