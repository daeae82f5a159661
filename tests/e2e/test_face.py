"""The design in a real browser: charts, tables, menus, keyboard, colours, languages; `test_every_page` sweeps all."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from federation.people.models import User
from routing.core.stops import Stop, Stopped
from tests.support.browser import (
    PHONE,
    Complaints,
    Portal,
    Visit,
    accessibility_problems,
    looked_at,
)
from tests.support.calls import store_calls
from tests.support.factories import (
    Cast,
    make_application,
    make_cast,
    make_key,
    serve_model,
)
from tests.support.fake_router import FakeRouter, listening_aside
from tests.support.processes import wait_for


@pytest.fixture
def cast(portal: Portal) -> Cast:
    """The known cast, with a served model, a key and something used, so that pages have contents."""
    cast = make_cast()
    deployment = serve_model(cast.rennes)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_dsi))
    store_calls(key, deployment, count=3)
    return cast


def wait_until_drawn(page: Page) -> None:
    """Charts are drawn once the page has loaded."""
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator(".main-svg").first).to_be_visible()


def opened(page: Page, paths: list[str]) -> Iterator[str]:
    for path in paths:
        page.goto(path)
        wait_until_drawn(page)
        yield path


LONG_NAME = "serveur-de-calcul-mutualisé-de-l-université-de-rennes-2"
STOPS = (
    Stop(what=Stopped.KEY, id="k" * 36, name="k" * 36, why="trouvée sur une page", since=1e9),
    Stop(what=Stopped.SERVER, id="s" * 36, name=LONG_NAME, why="", since=1e9),
)


@pytest.fixture
def stopping(portal: Portal) -> Iterator[None]:
    """A router that tells the portal what is stopped."""
    router = FakeRouter("r1")
    router.stops = STOPS
    with listening_aside(router, portal.run_dir / "router.sock"):
        yield


def stops_told(page: Page) -> Page:
    """Return the page once the portal has heard of the stops."""
    wait_for(lambda: page.reload() and page.locator("tbody tr").count() == len(STOPS), "the stops")
    return page


CUT_COMMANDS = """
Array.from(document.querySelectorAll("pre"), (box) => box.scrollWidth - box.clientWidth)
"""


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_is_stopped_is_accessible_and_seen_whole_on_a_phone(
    visit: Visit, cast: Cast, stopping: None, language: str
) -> None:
    page = stops_told(visit("/stops/", as_=cast.admin, language=language))

    assert list(looked_at(page)) == []
    assert page.viewport_size == PHONE
    assert page.evaluate(CUT_TABLES) == []
    assert page.evaluate(CUT_COMMANDS) == [0]


CUT_TABLES = """
Array.from(document.querySelectorAll(".table-responsive"), (frame) => frame.scrollWidth - frame.clientWidth)
  .filter((hidden) => hidden > 0)
"""


def test_no_table_hides_a_state_or_a_button_on_a_phone(visit: Visit, cast: Cast) -> None:
    page = visit("/", as_=cast.rennes_dsi, language="fr", size=PHONE)
    paths = [
        "/servers/",
        "/keys/",
        "/keys/institutions/rennes/",
        "/catalogue/mistral-small-3.2-24b/",
        "/compare/mistral-small-3.2-24b/",
        "/journal/",
    ]

    cut = {path: page.evaluate(CUT_TABLES) for path in opened(page, [*paths, "/account/sessions/"])}

    assert not any(cut.values()), cut


def test_every_column_of_the_latest_requests_is_seen_and_an_id_is_copied_whole(
    visit: Visit, portal: Portal
) -> None:
    cast = make_cast()
    application = make_application(
        cast.rennes, cast.rennes_dsi, name="Assistant des thèses en cours"
    )
    key, _text = make_key(application)
    failed: dict[str, Any] = {"status": "server_error", "error_code": "upstream_unreachable"}
    store_calls(key, serve_model(cast.rennes), count=3, completion_tokens=123_456, **failed)

    page = visit("/usage/", as_=cast.rennes_dsi, language="fr")

    wait_until_drawn(page)
    assert page.evaluate(CUT_TABLES) == []
    page.locator(".ilaas-id").first.click()
    selected = page.evaluate("getSelection().toString()")
    assert selected == page.locator(".ilaas-id").first.text_content()


@pytest.mark.parametrize("address", ["/nowhere/", "/people/first-admin/wrong/"])
def test_a_page_that_is_not_there_is_accessible(
    visit: Visit, complaints: Complaints, address: str
) -> None:
    page = visit(address)

    assert accessibility_problems(page) == []
    complaints.forgive("404 (Not Found)")


def test_the_menu_of_a_phone_opens_and_leads_on(visit: Visit, cast: Cast) -> None:
    page = visit("/", as_=cast.rennes_user, size=PHONE)
    entry = page.get_by_role("navigation").get_by_role("link", name="My keys")
    expect(entry).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    entry.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("My keys")


def test_the_language_is_switched_for_good(visit: Visit, cast: Cast) -> None:
    page = visit("/catalogue/", as_=cast.rennes_user)
    expect(page.locator("html")).to_have_attribute("lang", "en")

    page.get_by_role("button", name="Français").click()

    expect(page).to_have_url(re.compile("/catalogue/$"))
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert User.objects.get(pk=cast.rennes_user.pk).language == "en"


def test_the_colours_follow_the_system_until_one_chooses(visit: Visit, portal: Portal) -> None:
    page = visit("/", theme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")

    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Dark colours").click()
    page.goto("/accessibility/")

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Light colours").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_auto_which_the_register_keeps_is_the_system_s_colours(
    visit: Visit, portal: Portal
) -> None:
    page = visit("/", theme="dark")
    page.evaluate("localStorage.setItem('theme', 'auto')")
    page.goto("/accessibility/")

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_a_chart_takes_the_colours_of_the_page(visit: Visit, cast: Cast) -> None:
    page = visit("/style/", as_=cast.rennes_user)
    wait_until_drawn(page)
    bar = page.locator(".bars .point path").first

    expect(bar).to_have_css("fill", "rgb(10, 85, 102)")
    page.get_by_role("button", name="Dark colours").click()

    expect(bar).to_have_css("fill", "rgb(115, 200, 216)")


def test_everything_is_reached_by_keyboard_alone(visit: Visit, cast: Cast) -> None:
    page = visit("/", as_=cast.rennes_user)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    page.get_by_role("button", name="rennes_user").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="E-mail addresses")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="rennes_user")).to_be_focused()


def test_what_has_the_focus_is_seen(visit: Visit, cast: Cast) -> None:
    page = visit("/style/", as_=cast.rennes_user)
    seen = set()

    for _ in range(12):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        seen.add(style)

    assert seen == {"solid"}


def test_a_page_works_without_scripts(browser: Browser, portal: Portal) -> None:
    context = browser.new_context(
        base_url=portal.url, java_script_enabled=False, viewport=PHONE, locale="en"
    )
    page = context.new_page()

    page.goto("/")

    expect(page.get_by_role("navigation").get_by_role("link", name="Home")).to_be_visible()
    page.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    context.close()
