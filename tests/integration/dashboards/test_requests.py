"""The page of one request: to whom it is shown, what it tells of waiting and choosing, and how one is found."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import LIMITED, Attempt
from dashboards.stories import outcome_text
from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from federation.people.models import User
from routing.core.accounting import Attempt as Tried
from routing.core.accounting import Closed
from routing.core.enums import Lane, Reason, RequestStatus, RoutingMode, Strategy
from routing.core.retry import Failure
from routing.gateway.errors import Code
from routing.gateway.exchange import Cut
from tests.support.calls import store_calls
from tests.support.decisions import an_explanation
from tests.support.factories import Cast, make_application, make_key
from tests.support.pages import signed_in_as

ARRIVED = timezone.now() - timedelta(minutes=5)


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    """A key of the user in Orléans."""
    application = make_application(cast.orleans, cast.orleans_user, "carnet")
    return make_key(application, name="portable")[0]


def tried(at: Deployment, start: float, stop: float, outcome: str = "ok", **why: Any) -> Tried:
    """An attempt that began and ended so many seconds after the arrival."""
    return Tried(
        server_id=str(at.server_id),
        deployment_id=str(at.pk),
        started_at=ARRIVED.timestamp() + start,
        outcome=outcome,
        ended_at=ARRIVED.timestamp() + stop,
        explanation=an_explanation(**why),
    )


def stored(key: ApiKey, at: Deployment, *tries: Tried, **changes: Any) -> Closed:
    (call,) = store_calls(key, at, at=ARRIVED, attempts=tries, **changes)
    return call


def page(user: User, call: Closed, language: str = "en") -> str:
    answer = signed_in_as(user).get(
        f"/usage/requests/{call.opened.id}/", headers={"accept-language": language}
    )
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.mark.parametrize(
    ("who", "sees", "sees_the_key"),
    [
        ("orleans_user", True, True),
        ("rennes_dsi", True, False),
        ("admin", True, True),
        ("auditor", True, True),
        ("reims_dsi", False, False),
        ("rennes_user", False, False),
        ("intruder", False, False),
    ],
)
def test_it_is_shown_to_those_who_asked_who_served_and_the_federation(
    cast: Cast, key: ApiKey, at_rennes: Deployment, who: str, sees: bool, sees_the_key: bool
) -> None:
    (call,) = store_calls(key, at_rennes, at=ARRIVED, client_request_id="my-own-name")

    answer = signed_in_as(cast.people()[who]).get(f"/usage/requests/{call.opened.id}/")

    assert answer.status_code == (200 if sees else 404)
    text = answer.content.decode()
    for name in ("carnet", "portable", "my-own-name"):
        assert (name in text) == sees_the_key


def test_a_visitor_signs_in_first(cast: Cast, key: ApiKey, at_rennes: Deployment) -> None:
    (call,) = store_calls(key, at_rennes)

    for path in (f"/usage/requests/{call.opened.id}/", "/usage/requests/?id=x"):
        assert Client().get(path).status_code == 302


def test_it_tells_of_each_attempt_and_why_it_went_there(
    cast: Cast, key: ApiKey, at_rennes: Deployment, at_reims: Deployment
) -> None:
    call = stored(
        key,
        at_rennes,
        tried(
            at_reims, 1.2, 1.5, Failure.LOST, waited_ms=1100,
            reason=Reason.TURN, strategy=Strategy.ROUND_ROBIN, candidates=3, free=2,
        ),
        tried(
            at_rennes, 1.6, 2.0, waited_ms=100, lane=Lane.RETRY,
            reason=Reason.ONLY_FREE, candidates=2, mode=RoutingMode.PRIVATE_FIRST,
        ),
    )  # fmt: skip

    text = page(cast.orleans_user, call)

    assert f"Attempt 1: {at_reims.server.name}" in text
    assert "It waited for its turn in class P3." in text
    assert "2 of the 3 servers that could serve it were free; it was this one’s turn." in text
    assert "the connection broke" in text
    assert f"Attempt 2: {at_rennes.server.name}" in text
    assert "it was next again, in its old place" in text
    assert "Only this one of the 2 servers that could serve it was free." in text
    assert "own servers first" in text
    assert re.search(r"waited for a server</dt> <dd> 1.2 s", text)
    french = page(cast.orleans_user, call, "fr")
    assert "2 des 3 serveurs" in french


def test_the_time_is_told_without_a_gap(
    cast: Cast, key: ApiKey, at_rennes: Deployment, at_reims: Deployment
) -> None:
    call = stored(
        key,
        at_rennes,
        tried(at_reims, 0.31, 0.5, Failure.CONNECT, waited_ms=300),
        tried(at_rennes, 0.75, 2.0, waited_ms=250, lane=Lane.RETRY),
        first_token_at=ARRIVED.timestamp() + 1.0,
    )

    text = page(cast.orleans_user, call)

    rows = [
        (label.strip(), int(start.replace(",", "")), int(length.replace(",", "")))
        for label, start, length in re.findall(
            r'<th scope="row"> ([^<]+)(?:<div[^>]*>[^<]*</div> )?</th>'
            r" <td[^>]*>([\d,]+) ms</td> <td[^>]*>([\d,]+) ms</td>",
            text,
        )
    ]
    assert rows == [
        ("Prepared", 0, 10),
        ("Waited for a server", 10, 300),
        ("Attempt 1", 310, 190),
        ("Waited for a server", 500, 250),
        ("Attempt 2, to the first token", 750, 250),
        ("Attempt 2, the answer", 1000, 1000),
    ]


def test_a_request_that_nobody_could_take_tells_how_long_it_waited(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    call = stored(
        key,
        at_rennes,
        status=RequestStatus.REFUSED,
        http_status=503,
        server_id=None,
        deployment_id=None,
        first_token_at=None,
        error_code="too_many_people",
    )

    text = page(cast.orleans_user, call)

    assert "No server was asked." in text
    assert re.search(r"waited for a server</dt> <dd> 2.0 s", text)
    assert "HTTP 503, <code>too_many_people</code>" in text


def refused(key: ApiKey, at: Deployment, code: str, **changes: Any) -> Closed:
    """A request that was refused before any server was asked."""
    nowhere: dict[str, Any] = {"server_id": None, "deployment_id": None, "first_token_at": None}
    ended: dict[str, Any] = {"status": RequestStatus.REFUSED, "http_status": 429, **changes}
    return stored(key, at, error_code=code, **nowhere, **ended)


@pytest.mark.parametrize(
    ("language", "code", "status", "label", "why"),
    [
        ("en", Code.LIMIT, RequestStatus.REFUSED, "refused by a limit",
         "No server was asked. A limit of its key, its application or its institution was reached."),
        ("fr", Code.LIMIT, RequestStatus.REFUSED, "refusée par une limite",
         "Une limite de sa clé, de son application ou de son établissement était atteinte."),
        ("en", Code.OVER_LIMIT, RequestStatus.CLIENT_ERROR, "refused by a limit",
         "No server was asked. This request alone was larger than a limit allows."),
        ("fr", Code.OVER_LIMIT, RequestStatus.CLIENT_ERROR, "refusée par une limite",
         "À elle seule, cette requête dépassait ce qu’une limite autorise."),
    ],
)  # fmt: skip
def test_a_request_that_a_limit_refused_says_so(
    cast: Cast,
    key: ApiKey,
    at_rennes: Deployment,
    language: str,
    code: Code,
    status: RequestStatus,
    label: str,
    why: str,
) -> None:
    call = refused(key, at_rennes, code, status=status)

    text = page(cast.orleans_user, call, language)
    usage = signed_in_as(cast.orleans_user).get("/usage/", headers={"accept-language": language})

    assert f">{label}</span>" in text
    assert why in text
    assert f">{label}</span>" in usage.content.decode()


def test_a_request_that_a_limit_refused_did_not_wait(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    text = page(cast.orleans_user, refused(key, at_rennes, Code.LIMIT))

    assert re.search(r"waited for a server</dt> <dd> 0 ms", text)
    assert "Waited for a server" not in text


def test_only_the_router_s_limits_are_called_so(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    full = refused(key, at_rennes, Code.BUSY, http_status=503)
    by_a_server = stored(
        key,
        at_rennes,
        tried(at_rennes, 0.1, 2.0),
        status=RequestStatus.CLIENT_ERROR,
        error_code=Code.LIMIT,
    )

    assert {Code.LIMIT, Code.OVER_LIMIT} == LIMITED
    assert ">no server available</span>" in page(cast.orleans_user, full)
    assert ">request refused as wrong</span>" in page(cast.orleans_user, by_a_server)


@pytest.mark.parametrize("kept", [None, {}, {"lane": "teleport"}, [1], "text"])
def test_a_request_of_another_version_is_shown_without_what_it_does_not_say(
    cast: Cast, key: ApiKey, at_rennes: Deployment, kept: object
) -> None:
    call = stored(key, at_rennes, tried(at_rennes, 0.1, 2.0))
    Attempt.objects.filter(request_id=call.opened.id).update(explanation=kept, ended_at=None)

    text = page(cast.orleans_user, call)

    assert "Its router did not note why." in text
    assert 'id="timeline"' not in text


def test_every_way_in_which_an_attempt_ends_has_words() -> None:
    ends = {*Failure, "ok", Cut.HUNG_UP, Cut.SLOW_CLIENT, Cut.TOO_LONG, Cut.STOPPING}

    assert not {end for end in ends if outcome_text(end) == end}
    assert outcome_text("unheard of") == "unheard of"


def test_the_latest_requests_lead_to_their_pages(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    (call,) = store_calls(key, at_rennes)

    usage = signed_in_as(cast.orleans_user).get("/usage/").content.decode()

    assert f'href="/usage/requests/{call.opened.id}/"' in usage


def test_a_request_is_found_by_its_id_and_by_the_client_s(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    (call,) = store_calls(key, at_rennes, client_request_id="my-own-name")
    there = f"/usage/requests/{call.opened.id}/"

    ways = (call.opened.id, UUID(call.opened.id).hex.upper(), f"chatcmpl-{call.opened.id}")
    for asked in (*ways, "my-own-name"):
        answer = signed_in_as(cast.orleans_user).get("/usage/requests/", {"id": asked})
        assert answer.headers["location"] == there


@pytest.mark.parametrize(
    "asked",
    ["", "nothing", "0" * 200, "a\0b", str(UUID(int=5)), f"chatcmpl-{UUID(int=5)}", "é'; --"],
)
def test_what_finds_nothing_is_told(cast: Cast, asked: str) -> None:
    answer = signed_in_as(cast.orleans_user).get("/usage/requests/", {"id": asked}, follow=True)

    assert answer.redirect_chain == [("/usage/", 302)]
    assert "alert" in answer.content.decode()


def test_a_client_s_identifier_finds_nothing_for_the_owner_of_the_server(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(key, at_rennes, client_request_id="my-own-name")

    answer = signed_in_as(cast.rennes_dsi).get("/usage/requests/", {"id": "my-own-name"})

    assert answer.headers["location"] == "/usage/"
