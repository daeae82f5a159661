"""Whoever decides for others shows a second factor in each session, before any page of their role."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from federation.people.enums import SECOND_FACTOR_ROLES, Role
from federation.people.gate import OPEN, OPEN_TO_SET_ONE
from federation.people.models import User
from federation.people.operations import grant_role
from tests.support.factories import OPERATOR, PASSWORD, Cast, make_user
from tests.support.factors import (
    forget_authentication,
    one_time_code,
    set_app,
    sign_in_fully,
)

HERE = "/account/second-factor/"


def with_password_alone(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def asked_for(response: Any) -> str:
    """Return the page that the gate will lead back to."""
    assert response.status_code == 302, response.status_code
    address, _, query = response.headers["Location"].partition("?next=")
    assert address == HERE
    return str(query)


@pytest.mark.parametrize("role", sorted(SECOND_FACTOR_ROLES))
def test_a_role_that_decides_for_others_is_closed_to_a_password_alone(
    cast: Cast, role: Role
) -> None:
    user = make_user("new", role, cast.rennes if role == Role.MEMBER_DSI else None)

    assert (
        asked_for(with_password_alone(user).get("/servers/?page=2")) == "%2Fservers%2F%3Fpage%3D2"
    )


def test_a_user_goes_on_with_a_password_alone(cast: Cast) -> None:
    assert with_password_alone(cast.rennes_user).get("/keys/").status_code == 200
    assert with_password_alone(cast.intruder).get("/").status_code == 200


def test_a_session_that_has_shown_the_factor_passes(cast: Cast) -> None:
    assert sign_in_fully(Client(), cast.admin).get("/people/?at=").status_code == 200


def routes(patterns: Any, prefix: str = "", space: str = "") -> Any:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern), inner)
        elif isinstance(pattern, URLPattern):
            yield f"{space}{pattern.name}", pattern


def test_the_gate_knows_every_name_that_it_leaves_open() -> None:
    names = {name for name, _pattern in routes(get_resolver().url_patterns)}

    assert names >= OPEN


CLOSED = [
    "/",
    "/servers/",
    "/servers/new/",
    "/catalogue/",
    "/keys/",
    "/keys/new/",
    "/usage/",
    "/usage/csv/",
    "/people/",
    "/people/invite/",
    "/members/",
    "/ballots/",
    "/membership/",
    "/stops/",
    "/style/",
    "/register/",
    "/register/people/user/",
    "/register/logout/",
]
OPEN_PAGES = [
    "/accessibility/",
    "/doctor/",
    "/join/",
    "/keys/report-leak/",
    "/texts/charter/",
    "/health/portal",
    "/account/email/",
    "/account/password/change/",
    "/account/2fa/",
    "/account/sessions/",
    "/account/logout/",
]


@pytest.mark.parametrize("address", CLOSED)
def test_no_page_of_the_role_is_open_before(cast: Cast, address: str) -> None:
    asked_for(with_password_alone(cast.admin).get(address))


@pytest.mark.parametrize("address", OPEN_PAGES)
def test_what_anybody_reads_and_ones_own_account_stay_open(cast: Cast, address: str) -> None:
    assert with_password_alone(cast.admin).get(address).status_code == 200


def test_a_form_is_not_carried_out_and_not_repeated(cast: Cast) -> None:
    client = with_password_alone(cast.admin)
    given = {"at": "", "account": str(cast.intruder.pk), "role": "auditor"}

    assert asked_for(client.post("/people/roles/", given)) == ""
    assert not cast.intruder.role_grants.exists()


def test_a_fragment_leads_the_whole_page_away(cast: Cast) -> None:
    here = "http://testserver/servers/"
    headers = {"HX-Request": "true", "HX-Current-URL": here}

    response = with_password_alone(cast.admin).get("/servers/", headers=headers)

    assert response.headers["HX-Redirect"].startswith(HERE)
    assert response.content == b""


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_program_is_told_in_its_own_format(cast: Cast, accept: str) -> None:
    response = with_password_alone(cast.admin).get("/usage/csv/", headers={"accept": accept})

    assert response.status_code == 403
    assert response.json()["code"] == "second_factor_required"


def test_the_page_says_what_why_and_both_ways(cast: Cast) -> None:
    html = with_password_alone(cast.rennes_dsi).get(HERE, headers={"accept-language": "en"})

    assert 'href="/account/2fa/totp/activate/"' in html.content.decode()
    assert (
        'href="/account/2fa/webauthn/add/"' not in html.content.decode()
    )  # "testserver", without TLS
    named = with_password_alone(cast.rennes_dsi).get(HERE, headers={"host": "localhost"})
    assert 'href="/account/2fa/webauthn/add/"' in named.content.decode()


@pytest.mark.django_db(transaction=True)
def test_setting_an_app_opens_the_way_back_to_the_page_asked_for(cast: Cast) -> None:
    client = Client()
    client.post("/account/login/", {"login": cast.rennes_dsi.email, "password": PASSWORD})
    client.get(f"{HERE}?next=/servers/")
    page = client.get("/account/2fa/totp/activate/")
    secret = page.context["form"].secret

    done = client.post("/account/2fa/totp/activate/", {"code": one_time_code(secret)}, follow=True)

    assert done.request["PATH_INFO"] == "/account/2fa/recovery-codes/"
    assert 'href="/account/second-factor/"' in done.content.decode()
    assert client.get(HERE).headers["Location"] == "/servers/"
    assert client.get("/servers/").status_code == 200


def test_the_page_leads_nowhere_else(cast: Cast) -> None:
    client = with_password_alone(cast.rennes_dsi)
    for address in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        client.get(HERE, {"next": address})
    sign_in_fully(client, cast.rennes_dsi)

    assert client.get(HERE).headers["Location"] == "/"


def test_a_session_from_before_the_factor_does_not_pass_with_it(cast: Cast) -> None:
    before = with_password_alone(cast.rennes_dsi)
    secret = set_app(cast.rennes_dsi)

    asked_for(before.get("/servers/"))
    for address in ("/account/2fa/", "/account/email/", "/account/2fa/totp/replace/"):
        asked_for(before.get(address))
    code = {"code": one_time_code(secret), "next": "/servers/"}
    shown = before.post("/account/2fa/reauthenticate/", code)

    assert shown.headers["Location"] == "/servers/"
    assert before.get("/servers/").status_code == 200


def test_a_session_from_before_the_role_does_not_pass_with_it(cast: Cast) -> None:
    client = with_password_alone(cast.intruder)
    assert client.get("/").status_code == 200

    grant_role(by=OPERATOR, user=cast.intruder, role=Role.AUDITOR)

    asked_for(client.get("/"))


def test_a_factor_shown_and_then_taken_away_opens_nothing(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.admin)
    Authenticator.objects.all().delete()

    asked_for(client.get("/people/?at="))


def test_a_session_that_was_stripped_of_its_proof_is_asked_again(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.admin)
    forget_authentication(client)

    asked_for(client.get("/people/?at="))


def test_whose_role_was_taken_back_goes_on_without_a_factor(cast: Cast) -> None:
    client = with_password_alone(cast.auditor)
    asked_for(client.get("/"))

    cast.auditor.role_grants.all().delete()

    assert client.get("/").status_code == 200


def test_ones_account_is_all_that_opens_for_setting_a_factor() -> None:
    assert OPEN_TO_SET_ONE == ("account_", "mfa_", "usersessions_")
    names = {name for name, _pattern in routes(get_resolver().url_patterns)}
    for name in names:
        if name.startswith(OPEN_TO_SET_ONE):
            assert not name.startswith(("admin", "people"))
