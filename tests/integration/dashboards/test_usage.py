"""My usage: what each reader may see, how it is narrowed, and that the page survives any address."""

import json
import re
from datetime import datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from federation.people.models import User
from routing.core.enums import RequestStatus
from tests.integration.dashboards.test_exports import whole
from tests.support.calls import store_calls
from tests.support.factories import Cast, make_application, make_key, serve_model
from tests.support.pages import queries_of, signed_in_as

NARROW_SPACE = "\u202f"


@pytest.fixture
def of_orleans(cast: Cast, at_rennes: Deployment) -> ApiKey:
    """A key of the user in Orléans, with two calls that Rennes answered."""
    application = make_application(cast.orleans, cast.orleans_user, "carnet")
    key, _text = make_key(application, name="portable")
    store_calls(key, at_rennes, count=2)
    return key


@pytest.fixture
def of_rennes(cast: Cast, at_reims: Deployment) -> ApiKey:
    """A key of the user in Rennes, with three calls that Reims answered."""
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user, "moodle"), name="cours")
    store_calls(key, at_reims, count=3)
    return key


def shown(user: User, query: str = "") -> str:
    page = signed_in_as(user).get(f"/usage/{query}")
    assert page.status_code == 200
    return page.content.decode()


def requests_in(page: str) -> int:
    """Return the number of requests that the page's totals tell, 0 when it has none."""
    found = re.search(r'"ilaas-figures">\s*<div>\s*<dt>.*?</dt>\s*<dd>\s*(\d+)', page, re.DOTALL)
    return int(found[1]) if found else 0


@pytest.mark.parametrize(
    ("who", "query", "requests"),
    [
        ("orleans_user", "", 2),
        ("rennes_user", "", 3),
        ("rennes_dsi", "", 3),
        ("rennes_dsi", "?scope=mine", 0),
        ("rennes_dsi", "?scope=institution", 3),
        ("rennes_dsi", "?scope=served", 2),
        ("rennes_dsi", "?scope=federation", 3),
        ("reims_dsi", "?scope=institution", 0),
        ("reims_dsi", "?scope=served", 3),
        ("orleans_user", "?scope=federation", 2),
        ("intruder", "?scope=federation", 0),
        ("intruder", "", 0),
        ("admin", "", 5),
        ("admin", "?scope=mine", 0),
        ("auditor", "?scope=federation", 5),
    ],
)
def test_who_sees_which_requests(
    cast: Cast, of_orleans: ApiKey, of_rennes: ApiKey, who: str, query: str, requests: int
) -> None:
    """A scope that one may not have is told as an error and left at the usual one."""
    assert requests_in(shown(cast.people()[who], query)) == requests


def test_a_visitor_signs_in_first(cast: Cast) -> None:
    assert Client().get("/usage/").status_code == 302
    assert Client().get("/usage/csv/").status_code == 302


def test_a_server_s_owner_is_not_told_whose_key_it_was(cast: Cast, of_orleans: ApiKey) -> None:
    page = shown(cast.rennes_dsi, "?scope=served")

    assert requests_in(page) == 2
    assert "carnet" not in page
    assert "portable" not in page


def test_filters_narrow_and_stay_in_the_form(
    cast: Cast, of_orleans: ApiKey, of_rennes: ApiKey
) -> None:
    other = serve_model(cast.reims, "qwen-3-30b")
    store_calls(of_orleans, other, count=4)

    assert requests_in(shown(cast.orleans_user, "?model=qwen-3-30b")) == 4
    assert requests_in(shown(cast.orleans_user, f"?key={of_orleans.pk}")) == 6
    assert requests_in(shown(cast.admin, f"?application={of_rennes.application_id}")) == 3
    assert '<option value="qwen-3-30b" selected>' in shown(cast.admin, "?model=qwen-3-30b")


def test_two_applications_of_one_name_are_told_apart_by_their_institutions(cast: Cast) -> None:
    for institution, owner in ((cast.rennes, cast.rennes_user), (cast.orleans, cast.orleans_user)):
        make_key(make_application(institution, owner, "carnet"), name="portable")

    page = shown(cast.admin)

    for name in ("Rennes", "Orleans"):
        assert f">carnet · {name}</option>" in page
        assert f">carnet · portable · {name}</option>" in page


def test_another_s_key_is_no_filter(cast: Cast, of_orleans: ApiKey, of_rennes: ApiKey) -> None:
    page = shown(cast.orleans_user, f"?key={of_rennes.pk}")

    assert 'role="alert"' in page
    assert requests_in(page) == 2


def test_days_are_those_of_paris(cast: Cast, of_orleans: ApiKey, at_rennes: Deployment) -> None:
    late = datetime.fromisoformat(
        "2026-06-30T22:30:00+00:00"
    )  # half past midnight on 1 July in Paris
    store_calls(of_orleans, at_rennes, count=7, at=late)

    june = shown(cast.orleans_user, "?days=custom&first=2026-06-01&last=2026-06-30")
    july = shown(cast.orleans_user, "?days=custom&first=2026-07-01&last=2026-07-31")

    assert (requests_in(june), requests_in(july)) == (0, 7)


def test_the_chart_and_its_table_have_the_same_numbers(
    cast: Cast, of_orleans: ApiKey, at_rennes: Deployment
) -> None:
    page = shown(cast.orleans_user, "?days=7")

    figure = json.loads(re.search(r'id="usage-figure"[^>]*>(.*?)</script>', page)[1])  # type: ignore[index]
    [bars] = figure["data"]
    assert bars["type"] == "bar"
    assert bars["name"] == at_rennes.version.model.slug
    assert len(bars["x"]) == len(bars["y"]) == 7
    assert sum(bars["y"]) == 2 * (10 + 32)
    assert page.count('<th scope="row" class="text-nowrap">') == 7
    assert re.search(r"\b100\s%", page)


def test_the_chart_counts_requests_when_asked_to(cast: Cast, of_orleans: ApiKey) -> None:
    page = shown(cast.orleans_user, "?unit=requests")

    figure = json.loads(re.search(r'id="usage-figure"[^>]*>(.*?)</script>', page)[1])  # type: ignore[index]
    assert sum(figure["data"][0]["y"]) == 2


def test_a_request_that_failed_says_how(
    cast: Cast, of_orleans: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(
        of_orleans,
        at_rennes,
        status=RequestStatus.SERVER_ERROR,
        http_status=502,
        error_code="<b>upstream</b>",
        first_token_at=None,
        server_id=None,
        deployment_id=None,
    )

    page = shown(cast.orleans_user)

    assert "bg-red-lt" in page
    assert "&lt;b&gt;upstream&lt;/b&gt;" in page


def test_thousands_are_set_apart_as_the_language_does(
    cast: Cast, of_orleans: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(of_orleans, at_rennes, completion_tokens=1_234_567)
    browser = signed_in_as(cast.orleans_user)

    french = browser.get("/usage/", headers={"accept-language": "fr"}).content.decode()
    english = browser.get("/usage/", headers={"accept-language": "en"}).content.decode()

    assert f"1{NARROW_SPACE}234{NARROW_SPACE}631" in french
    assert "1,234,631" in english


def test_without_a_key_the_page_leads_to_the_keys(cast: Cast) -> None:
    page = shown(cast.rennes_user)

    assert 'class="empty"' in page
    assert 'href="/keys/"' in re.sub(r"<header.*?</header>", "", page, flags=re.DOTALL)


BAD = [
    "days=0",
    "days=-1",
    "days=99999999999999999999",
    "days=nonsense",
    "days=",
    "days=custom",
    "days=custom&first=2026-01-01",
    "days=custom&first=2026-02-01&last=2026-01-01",
    "days=custom&first=0001-01-01&last=9999-12-31",
    "days=custom&first=2020-01-01&last=2025-12-31",
    "days=custom&first=2026-02-30&last=2026-03-01",
    "scope=everything",
    "scope=",
    "model=nonsense",
    "model=%00",
    "key=nonsense",
    "key=0199aaaa-0000-7000-8000-000000000000",
    "application='%20OR%201=1",
    "application=%00",
    "unit=euros",
    "model=" + "a" * 5000,
]


@pytest.mark.parametrize("query", BAD)
def test_a_choice_that_cannot_be_read_is_told_and_left_at_its_default(
    cast: Cast, of_orleans: ApiKey, query: str
) -> None:
    page = shown(cast.orleans_user, f"?{query}")

    assert 'role="alert"' in page
    assert requests_in(page) == 2


@pytest.mark.parametrize(
    "query", ["days=7&days=30", "unknown=1", "page=%00", "=&&&", "csrf=%ff%fe"]
)
def test_what_the_page_does_not_ask_is_ignored(cast: Cast, of_orleans: ApiKey, query: str) -> None:
    assert requests_in(shown(cast.orleans_user, f"?{query}")) == 2


def test_three_of_each_take_as_many_queries_as_one(
    cast: Cast, of_orleans: ApiKey, at_rennes: Deployment
) -> None:
    browser = signed_in_as(cast.admin)
    one = queries_of(browser, "/usage/")
    for number in range(2):
        key, _text = make_key(make_application(cast.reims, cast.reims_dsi))
        store_calls(key, serve_model(cast.reims, f"model-{number}"), count=3)

    assert queries_of(browser, "/usage/") == one


def test_the_most_used_keys_stand_on_the_page_and_all_of_them_in_the_file(
    cast: Cast, at_rennes: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.views.usage.MOST_KEYS", 2)
    for n in range(4):
        key, _text = make_key(make_application(cast.orleans, cast.orleans_user, f"carnet-{n}"))
        store_calls(key, at_rennes, count=n + 1)
    browser = signed_in_as(cast.orleans_user)

    page = browser.get("/usage/").content.decode()
    table = page[page.index('id="per-key"') :].partition("</section>")[0]
    file = browser.get("/usage/keys/csv/")

    assert isinstance(file, StreamingHttpResponse)
    lines = [line.split(";") for line in async_to_sync(whole)(file).splitlines()[1:]]
    assert [line[1] for line in lines] == ["carnet-3", "carnet-2", "carnet-1", "carnet-0"]
    assert [int(line[3]) for line in lines] == [4, 3, 2, 1]
    assert "carnet-3" in table
    assert "carnet-1 · essai" not in table
    assert "2 autres clés" in table


def test_the_page_of_a_new_key_turns_green_with_the_first_answer(
    cast: Cast, at_rennes: Deployment
) -> None:
    key, _text = make_key(make_application(cast.orleans, cast.orleans_user))
    browser, address = signed_in_as(cast.orleans_user), f"/usage/first-call/{key.pk}/"

    def part() -> str:
        return browser.get(address).content.decode()

    waiting = part()
    store_calls(key, at_rennes, status=RequestStatus.SERVER_ERROR, http_status=502)
    failed = part()
    store_calls(key, at_rennes)
    answered = part()

    assert "spinner-border" in waiting
    assert "alert-warning" in failed
    assert "alert-success" in answered
    assert at_rennes.server.name in answered
    assert ["data-first-call-done" in step for step in (waiting, failed, answered)] == [
        False,
        False,
        True,
    ]


def test_the_page_of_a_new_key_stops_listening_after_an_hour(cast: Cast) -> None:
    key, _text = make_key(make_application(cast.orleans, cast.orleans_user))
    ApiKey.objects.filter(pk=key.pk).update(created_at=timezone.now() - timedelta(hours=2))

    answer = signed_in_as(cast.orleans_user).get(f"/usage/first-call/{key.pk}/")

    assert "data-first-call-done" in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
