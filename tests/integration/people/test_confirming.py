"""Before what decides over the federation or its secrets, a session that was left open is asked again."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client

from federation.access.models import ApiKey
from federation.fleet.enums import SiteGrantState
from federation.fleet.models import Deployment, EgressGrant
from federation.fleet.operations.credentials import current_credential
from federation.fleet.operations.networks import Wish, ask_site_egress
from federation.fleet.operations.technical import submit_form
from federation.people.enums import Role
from federation.people.factors import has_factor
from federation.people.models import User
from tests.integration.federation.world import make_form
from tests.support.factories import (
    PASSWORD,
    Cast,
    make_application,
    make_model,
    make_site,
    serve_model,
)
from tests.support.factors import set_app, sign_in_fully

A_WHILE = 601
ASKED = "/account/reauthenticate/"


@pytest.fixture
def left_open(cast: Cast) -> Client:
    """The administrator's browser, some minutes after the sign-in."""
    return sign_in_fully(Client(), cast.admin, seconds_ago=A_WHILE)


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes, credential="sk-former")


def is_asked(response: Any) -> bool:
    return bool(response.status_code == 302 and response.headers["Location"].startswith(ASKED))


def test_a_role_of_the_federation_is_given_after_confirming(cast: Cast, left_open: Client) -> None:
    given = {"at": "", "account": str(cast.auditor.pk), "role": Role.FINANCE}

    assert is_asked(left_open.post("/people/roles/", given))
    assert not cast.auditor.role_grants.filter(role=Role.FINANCE).exists()

    back = left_open.post(f"{ASKED}?next=/people/", {"password": PASSWORD})
    assert back.headers["Location"] == "/people/"
    left_open.post("/people/roles/", given)
    assert cast.auditor.role_grants.filter(role=Role.FINANCE).exists()


def test_a_role_at_an_institution_is_given_after_confirming(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi, seconds_ago=A_WHILE)
    given = {"at": "rennes", "account": str(cast.rennes_user.pk), "role": Role.PROJECT_OWNER}

    asked = client.post("/people/roles/", given)

    assert is_asked(asked)
    assert asked.headers["Location"].endswith("?next=%2Fpeople%2F%3Fat%3Drennes")
    assert not cast.rennes_user.role_grants.filter(role=Role.PROJECT_OWNER).exists()
    client.post(asked.headers["Location"], {"password": PASSWORD})
    client.post("/people/roles/", given)
    assert cast.rennes_user.role_grants.filter(role=Role.PROJECT_OWNER).exists()


def test_an_invitation_to_the_federation_asks_and_one_to_an_institution_does_not(
    cast: Cast, left_open: Client
) -> None:
    given = {"email": "new@example.org", "role": Role.AUDITOR}

    assert is_asked(left_open.post("/people/invite/?at=", given))
    assert is_asked(left_open.get("/people/invite/?at="))
    assert left_open.get("/people/invite/?at=rennes").status_code == 200
    assert mail.outbox == []


def test_a_factor_is_taken_off_after_confirming(cast: Cast, left_open: Client) -> None:
    set_app(cast.rennes_dsi)
    address = f"/people/accounts/{cast.rennes_dsi.pk}/second-factor/"

    assert is_asked(left_open.get(address))
    assert is_asked(left_open.post(address))

    assert has_factor(cast.rennes_dsi)


def test_a_servers_new_key_is_asked_for_after_confirming_and_is_kept_nowhere_meanwhile(
    cast: Cast, deployment: Deployment
) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi, seconds_ago=A_WHILE)
    address = f"/servers/{deployment.server_id}/key/"

    assert is_asked(client.get(address))
    assert is_asked(client.post(address, {"key": "sk-typed-too-late"}))

    former = current_credential(deployment.server)
    assert former is not None
    assert former.reveal() == "sk-former"
    for session in Session.objects.all():
        assert "sk-typed-too-late" not in str(session.get_decoded())
    fresh = sign_in_fully(Client(), cast.rennes_dsi)
    assert fresh.get(address).status_code == 200


def test_what_a_server_is_declared_to_be_is_changed_after_confirming(cast: Cast) -> None:
    form = make_form(cast.rennes, make_site(cast.rennes), make_model())
    submit_form(by=cast.rennes_dsi, form=form)
    client = sign_in_fully(Client(), cast.rennes_dsi, seconds_ago=A_WHILE)
    address = f"/servers/forms/{form.pk}/"
    fresh = sign_in_fully(Client(), cast.rennes_dsi).get(address).context
    shown = {name: value for name, value in fresh["form"].initial.items() if value is not None}
    lines = {"week-TOTAL_FORMS": "0", "week-INITIAL_FORMS": "0", "number": fresh["number"]}
    site, model = {"site": str(form.site_id)}, {"model": str(form.model_id)}
    elsewhere = {"base_url": "https://elsewhere.example.org"}

    assert is_asked(client.get(address))
    late = client.post(address, {**shown, **lines, **site, **model, **elsewhere})

    assert ASKED in late.content.decode()
    assert elsewhere["base_url"] in late.content.decode()
    form.refresh_from_db()
    assert form.base_url != elsewhere["base_url"]


def test_a_draft_is_gone_on_with_without_asking(cast: Cast) -> None:
    form = make_form(cast.rennes, make_site(cast.rennes), make_model())
    client = sign_in_fully(Client(), cast.rennes_dsi, seconds_ago=A_WHILE)

    assert client.get(f"/servers/forms/{form.pk}/").status_code == 200


def test_ones_own_key_is_made_without_asking(cast: Cast, deployment: Deployment) -> None:
    application = make_application(cast.rennes, cast.rennes_dsi)
    client = sign_in_fully(Client(), cast.rennes_dsi, seconds_ago=A_WHILE)

    page = client.get("/keys/new/")

    assert page.status_code == 200
    assert not ApiKey.objects.filter(application=application).exists()


def test_who_has_just_signed_in_is_not_asked(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_user)

    assert client.get("/account/2fa/totp/activate/").status_code == 200
    later = sign_in_fully(Client(), cast.rennes_user, seconds_ago=A_WHILE)
    assert is_asked(later.get("/account/2fa/totp/activate/"))


def test_anothers_session_confirms_nothing(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_user)
    client.force_login(User.objects.get(pk=cast.orleans_user.pk))

    assert is_asked(client.get("/account/2fa/totp/activate/"))


def test_a_network_is_opened_to_the_router_after_confirming(
    cast: Cast, deployment: Deployment, left_open: Client
) -> None:
    site, wish = deployment.server.site, Wish("10.35.0.0/24", (8000,), "VPN")
    grant = ask_site_egress(by=cast.rennes_dsi, site=site, wish=wish)

    assert is_asked(left_open.post(f"/servers/networks/{grant.pk}/allow/"))
    assert is_asked(left_open.get("/servers/networks/new/"))
    assert is_asked(left_open.get(f"/servers/{deployment.server_id}/grant/"))
    typed = {"address": "10.35.0.7", "port": "8000", "reason": "typed-at-length"}
    late = left_open.post(f"/servers/{deployment.server_id}/grant/", typed).content.decode()

    assert ASKED in late
    assert "typed-at-length" in late
    assert not EgressGrant.objects.filter(reason="typed-at-length").exists()
    grant.refresh_from_db()
    assert grant.state == SiteGrantState.ASKED


def test_certificates_are_changed_after_confirming(cast: Cast, deployment: Deployment) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi, seconds_ago=A_WHILE)
    address = f"/servers/{deployment.server_id}/certificates/"

    assert is_asked(client.get(address))
    assert is_asked(client.post(address, {"step": "hide"}))
    late = client.post(address, {"step": "trust", "ca_bundle": "typed-at-length"})

    assert ASKED in late.content.decode()
    assert "typed-at-length" in late.content.decode()
