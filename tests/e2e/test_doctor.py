"""The doctor in a real browser, before a portal without a router: what is found is shown in place, and kept nowhere."""

import json

import pytest
from playwright.sync_api import Route, expect

from federation.fleet.models import Deployment
from tests.support.browser import (
    PHONE,
    Complaints,
    Portal,
    Theme,
    Visit,
    accessibility_problems,
    scrolls_sideways,
)
from tests.support.factories import Cast, make_application, make_cast, make_key, serve_model

EXPLAINED = {"site": "Beaulieu", "institution": "Rennes"}
STREAM = 'data: {"choices": [{"delta": {"content": "Bonjour"}}]}\n\ndata: [DONE]\n\n'
BROKEN = 'data: {"choices": []}\n\ndata: {"error": {"message": "the server stopped"}}\n\n'


@pytest.fixture
def cast(portal: Portal) -> Cast:
    return make_cast()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)


@pytest.fixture
def text(cast: Cast, deployment: Deployment) -> str:
    return make_key(make_application(cast.rennes, cast.rennes_user))[1]


@pytest.mark.parametrize(
    ("size", "theme", "language"), [(None, "light", "en"), (PHONE, "dark", "fr")]
)
def test_a_key_is_examined_in_place_and_asked_with_what_only_the_page_still_has(
    visit: Visit,
    text: str,
    deployment: Deployment,
    size: dict[str, int] | None,
    theme: Theme,
    language: str,
) -> None:
    page = visit("/doctor/", size=size, theme=theme, language=language)
    asked: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route)
        headers = {"x-request-id": "r-1", "x-ilaas-explain": json.dumps(EXPLAINED)}
        route.fulfill(status=200, content_type="text/event-stream", headers=headers, body=STREAM)

    page.route("**/v1/**", answer)
    page.locator("[name=key]").fill(text)
    page.locator("[data-doctor] button").click()

    line = page.locator("[data-call]")
    expect(line).to_contain_text("Beaulieu (Rennes)")
    expect(line).to_contain_text("r-1")
    expect(line.locator("[data-verdict=ok]")).to_be_visible()
    (route,) = asked
    assert route.request.headers["authorization"] == f"Bearer {text}"
    assert "cookie" not in route.request.headers
    body = json.loads(route.request.post_data or "")
    assert (body["model"], body["stream"]) == (deployment.version.model.slug, True)
    assert page.locator(".ilaas-findings li").count() == 7
    assert accessibility_problems(page) == []
    assert not scrolls_sideways(page)
    assert text not in page.content()
    assert text not in page.url


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            403,
            json.dumps({"error": {"code": "stopped_by_operators", "message": "stopped"}}),
            "stopped",
        ),
        (502, "<html>", "502"),
        (200, BROKEN, "the server stopped"),
        (200, "", "broke off"),
    ],
)
def test_a_call_that_fails_is_told_as_it_failed(
    visit: Visit, text: str, complaints: Complaints, status: int, body: str, told: str
) -> None:
    page = visit("/doctor/")
    page.route("**/v1/**", lambda route: route.fulfill(status=status, body=body))

    page.locator("[name=key]").fill(text)
    page.get_by_role("button", name="Examine").click()

    expect(page.locator("[data-call]")).to_contain_text(told)
    expect(page.locator("[data-call] [data-verdict=failed]")).to_be_visible()
    if status >= 400:
        complaints.forgive(str(status))


def test_a_second_key_is_examined_on_the_same_page(visit: Visit, text: str) -> None:
    page = visit("/doctor/")
    page.route("**/v1/**", lambda route: route.fulfill(status=200, body=STREAM))

    page.locator("[name=key]").fill(text[:-1])
    page.get_by_role("button", name="Examine").click()
    expect(page.locator("#findings")).to_contain_text("something is missing")
    expect(page.locator("[data-call]")).to_have_count(0)
    page.locator("[name=key]").fill(text)
    page.get_by_role("button", name="Examine").click()

    expect(page.locator("[data-call] [data-verdict=ok]")).to_be_visible()
