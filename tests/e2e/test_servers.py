"""Live numbers in a real browser, from a router that the test plays; and the same pages without any script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from federation.fleet.models import Deployment
from routing.dispatch.messages import ModelLoad
from tests.support.browser import Portal, Visit, accessibility_problems, session_cookie
from tests.support.factories import MODEL, Cast, make_cast, serve_model
from tests.support.load_feed import LoadFeed, server_load


@pytest.fixture
def cast(portal: Portal) -> Cast:
    return make_cast()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)


@pytest.fixture
def feed(portal: Portal) -> Iterator[LoadFeed]:
    socket = portal.run_dir / "router.sock"
    told = LoadFeed(socket)
    yield told
    told.stop()
    socket.unlink()


def in_flight(deployment: Deployment) -> str:
    return f"[data-live='servers/{deployment.server_id}/in_flight']"


def test_the_numbers_follow_the_router(
    visit: Visit, cast: Cast, deployment: Deployment, feed: LoadFeed
) -> None:
    feed.tell(servers={deployment.server_id: server_load(3, 8)})
    page = visit("/servers/", as_=cast.orleans_user)
    number = page.locator(in_flight(deployment))
    health = page.locator(f"[data-live-health='{deployment.server_id}']")
    expect(page.locator("[data-live-status]")).to_have_text("live")
    expect(number).to_have_text("3")
    expect(health).to_have_text("healthy")

    feed.tell(servers={deployment.server_id: server_load(1234, 8, "ejected")})

    expect(number).to_have_text("1,234")
    expect(health).to_have_text("out of order")
    assert page.locator("meter").evaluate("meter => [meter.value, meter.max]") == [8, 8]
    assert accessibility_problems(page) == []


def test_a_limit_that_is_learnt_later_appears(
    visit: Visit, cast: Cast, deployment: Deployment, feed: LoadFeed
) -> None:
    feed.tell(servers={deployment.server_id: server_load(1, None)})
    page = visit("/servers/", as_=cast.orleans_user)
    expect(page.locator(in_flight(deployment))).to_have_text("1")
    expect(page.locator("meter")).to_be_hidden()

    feed.tell(servers={deployment.server_id: server_load(1, 4)})

    expect(page.locator("meter")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("1 of 4")


def test_a_model_s_load_is_live_too(
    visit: Visit, cast: Cast, deployment: Deployment, feed: LoadFeed
) -> None:
    model = deployment.version.model_id
    for address in ("/catalogue/", f"/catalogue/{MODEL}/"):
        feed.tell(models={model: ModelLoad(in_flight=1, waiting=0, available_servers=1)})
        page = visit(address, as_=cast.orleans_user)
        waiting = page.locator(f"[data-live='models/{model}/waiting']")
        expect(waiting).to_have_text("0")

        feed.tell(models={model: ModelLoad(in_flight=1, waiting=7, available_servers=1)})

        expect(waiting).to_have_text("7")


def test_that_the_router_goes_away_is_said_on_the_open_page(
    visit: Visit, cast: Cast, deployment: Deployment, portal: Portal
) -> None:
    socket = portal.run_dir / "router.sock"
    feed = LoadFeed(socket)
    feed.tell(servers={deployment.server_id: server_load(3, 8)})
    try:
        page = visit("/servers/", as_=cast.orleans_user)
        expect(page.locator(in_flight(deployment))).to_have_text("3")
        expect(page.locator("[data-live-away]")).to_be_hidden()
        expect(page.locator("[data-live-status]")).to_be_visible()
    finally:
        feed.stop()
        socket.unlink()

    expect(page.locator("[data-live-away]")).to_be_visible()
    expect(page.locator("[data-live-status]")).to_be_hidden()
    expect(page.locator(in_flight(deployment))).to_have_text("–")


def test_without_scripts_the_page_shows_what_was_true_when_it_was_made(
    browser: Browser, cast: Cast, deployment: Deployment, feed: LoadFeed, portal: Portal
) -> None:
    feed.tell(servers={deployment.server_id: server_load(3, 8)})
    context = browser.new_context(base_url=portal.url, locale="en", java_script_enabled=False)
    context.add_cookies([session_cookie(cast.orleans_user, portal)])
    page = context.new_page()

    def reload_until_heard() -> str:
        page.goto("/servers/")
        return page.locator(in_flight(deployment)).inner_text()

    assert any(reload_until_heard() == "3" for _ in range(20))
    page.goto(f"/catalogue/{MODEL}/")
    page.locator("summary", has_text="Python").click()
    expect(page.locator("#snippet-python")).to_be_visible()
    context.close()
