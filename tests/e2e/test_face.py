"""The design in a real browser: every page readable by everyone, on every screen, under the strict policy."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from billing.models import UsageRecord
from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.catalogue.operations.minimum import open_alarm, set_minimum
from federation.fleet.models import InferenceServer
from federation.people.models import User
from routing.core.stops import Stop, Stopped
from tests.support.browser import (
    PHONE,
    Complaints,
    Portal,
    Theme,
    Visit,
    accessibility_problems,
    scrolls_sideways,
)
from tests.support.calls import store_calls
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_cast,
    make_key,
    serve_model,
)
from tests.support.factors import set_app
from tests.support.fake_router import FakeRouter, listening_aside
from tests.support.processes import wait_for

OF_VISITORS = [
    "/",
    "/accessibility/",
    "/doctor/",
    "/keys/report-leak/",
    "/lifecycle/",
    "/account/login/",
    "/account/password/reset/",
]
OF_THE_SIGNED_IN = [
    "/",
    "/servers/",
    "/servers/new/",
    "/servers/networks/",
    "/servers/networks/new/",
    "/catalogue/",
    "/catalogue/mistral-small-3.2-24b/",
    "/lifecycle/",
    "/lifecycle/proposals/",
    "/lifecycle/proposals/new/",
    "/catalogue/?category=speech",
    "/compare/mistral-small-3.2-24b/",
    "/journal/",
    "/journal/?group=fleet&first=2999-01-01",
    "/keys/",
    "/keys/?ended=1",
    "/keys/new/",
    "/keys/institutions/rennes/",
    "/usage/",
    "/style/",
    "/account/email/",
    "/account/password/change/",
    "/account/2fa/",
    "/account/2fa/totp/replace/",
    "/account/2fa/webauthn/",
    "/account/2fa/webauthn/add/",
    "/account/sessions/",
]


@pytest.fixture
def cast(portal: Portal) -> Cast:
    """The known cast, with a served model, a key and something used, so that pages have contents."""
    cast = make_cast()
    deployment = serve_model(cast.rennes)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_dsi))
    store_calls(key, deployment, count=3)
    return cast


def of_the_signed_in() -> list[str]:
    """Return the pages of an IT department, those of its key and its server with them."""
    key, server = ApiKey.objects.get(), InferenceServer.objects.get()
    of_the_key = [f"/keys/{key.pk}/{part}" for part in ("", "change/", "limits/", "replace/")]
    application = f"/keys/applications/{key.application_id}/"
    of_the_server = [f"/servers/{server.pk}/{part}/" for part in ("guests", "certificates")]
    return [*OF_THE_SIGNED_IN, *of_the_key, application, *of_the_server]


def wait_until_drawn(page: Page) -> None:
    """Charts are drawn once the page has loaded."""
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator(".main-svg").first).to_be_visible()


def opened(page: Page, paths: list[str]) -> Iterator[str]:
    for path in paths:
        page.goto(path)
        wait_until_drawn(page)
        yield path


def inaccessible(page: Page, paths: list[str]) -> list[str]:
    return [
        f"{path}: {problem}"
        for path in opened(page, paths)
        for problem in accessibility_problems(page)
    ]


def too_wide(page: Page, paths: list[str]) -> list[str]:
    return [path for path in opened(page, paths) if scrolls_sideways(page)]


# Colours do not depend on words: each language and each theme is tried once.
@pytest.mark.parametrize(("language", "theme"), [("fr", "dark"), ("en", "light")])
def test_every_page_is_accessible(visit: Visit, cast: Cast, language: str, theme: Theme) -> None:
    visitor = visit("/", language=language, theme=theme)
    signed_in = visit("/", as_=cast.rennes_dsi, language=language, theme=theme)

    assert signed_in.locator("html").get_attribute("lang") == language
    assert inaccessible(visitor, OF_VISITORS) == []
    assert inaccessible(signed_in, of_the_signed_in()) == []


def test_nothing_has_to_be_scrolled_sideways_on_a_phone(visit: Visit, cast: Cast) -> None:
    visitor = visit("/", language="fr", size=PHONE)
    signed_in = visit("/", as_=cast.rennes_dsi, language="fr", size=PHONE)

    assert too_wide(visitor, OF_VISITORS) == []
    assert too_wide(signed_in, of_the_signed_in()) == []


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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_is_stopped_is_accessible_and_seen_whole_on_a_phone(
    visit: Visit, cast: Cast, stopping: None, language: str, theme: Theme
) -> None:
    wide = stops_told(visit("/stops/", as_=cast.admin, language=language, theme=theme))
    assert accessibility_problems(wide) == []

    phone = stops_told(visit("/stops/", as_=cast.admin, language=language, theme=theme, size=PHONE))
    assert accessibility_problems(phone) == []
    assert not scrolls_sideways(phone)
    assert phone.evaluate(CUT_TABLES) == []
    assert phone.evaluate(CUT_COMMANDS) == [0]


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
    expect(page.get_by_role("link", name="Email Addresses")).to_be_focused()
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


@pytest.mark.parametrize(("language", "theme"), [("fr", "light"), ("en", "dark")])
def test_a_request_s_page_and_a_model_s_settings_are_accessible_and_fit_a_phone(
    visit: Visit, cast: Cast, language: str, theme: Theme
) -> None:
    request = UsageRecord.objects.latest("pk")
    name = "mistral-small-3.2-24b"
    model = AIModel.objects.get(slug=name)
    least = set_minimum(by=OPERATOR, model=model, minimum={"servers": 2, "sites": 2})
    open_alarm(by=OPERATOR, minimum=least, began_at=timezone.now(), servers=1, sites=1)
    paths = [f"/usage/requests/{request.pk}/", f"/routing/{name}/", "/stops/"]
    paths += [f"/minimum/{name}/", f"/catalogue/{name}/"]
    set_app(cast.rennes_dsi)
    paths += ["/people/?at=rennes", f"/people/accounts/{cast.rennes_dsi.pk}/second-factor/"]
    paths += ["/cards/mistral-small-3.2-24b/", "/journal/"]

    wide = visit("/", as_=cast.admin, language=language, theme=theme)
    phone = visit("/", as_=cast.admin, language=language, theme=theme, size=PHONE)

    assert inaccessible(wide, paths) == []
    assert too_wide(phone, paths) == []
