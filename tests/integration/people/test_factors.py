"""Factors come and go: a last one stays, a lost one is taken off by another, a code opens once."""

from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from federation.journal.models import AuditEvent
from federation.people.factors import has_factor, passkeys_work_at
from federation.people.models import User
from federation.people.operations import reset_second_factor
from tests.support.factories import OPERATOR, PASSWORD, Cast
from tests.support.factors import one_time_code, set_app, sign_in_fully
from tests.support.post import deliver

CODE_PAGE = "/account/2fa/authenticate/"


def with_password(user: User) -> Client:
    client = Client()
    response = client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302
    return client


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def a_passkey(user: User, name: str = "téléphone") -> Authenticator:
    """As far as lists and rules go; whether one opens is the browser's test."""
    data = {"name": name, "credential": {}}
    found: Authenticator = Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data=data
    )
    return found


def test_the_last_factor_stays_while_the_role_demands_one(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi)

    refused = client.post("/account/2fa/totp/deactivate/", headers={"accept-language": "en"})

    assert refused.status_code == 200
    assert "this is the only one you have" in refused.content.decode()
    assert has_factor(cast.rennes_dsi)


def test_a_last_passkey_stays_as_well(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi)
    passkey = a_passkey(cast.rennes_dsi)
    Authenticator.objects.filter(type=Authenticator.Type.TOTP).delete()
    address = f"/account/2fa/webauthn/keys/{passkey.pk}/remove/"

    refused = client.post(address, headers={"accept-language": "en"})

    assert "this is the only one you have" in refused.content.decode()
    assert Authenticator.objects.filter(pk=passkey.pk).exists()


def test_one_of_two_goes(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_dsi)
    passkey = a_passkey(cast.rennes_dsi)

    client.post("/account/2fa/totp/deactivate/")

    assert list(Authenticator.objects.values_list("pk", flat=True)) == [passkey.pk]
    assert verbs()[-1] == "people.remove_second_factor"


def test_who_has_no_such_role_removes_the_last_one(cast: Cast) -> None:
    set_app(cast.rennes_user)
    client = sign_in_fully(Client(), cast.rennes_user)

    client.post("/account/2fa/totp/deactivate/")

    assert not has_factor(cast.rennes_user)


def test_another_passkey_is_nobodys_to_remove(cast: Cast) -> None:
    passkey = a_passkey(cast.reims_dsi)
    client = sign_in_fully(Client(), cast.rennes_dsi)

    assert client.post(f"/account/2fa/webauthn/keys/{passkey.pk}/remove/").status_code == 404
    assert client.post(f"/account/2fa/webauthn/keys/{passkey.pk}/edit/").status_code == 404


def test_a_new_telephone_takes_the_place_of_the_former_in_one_step(cast: Cast) -> None:
    former = set_app(cast.rennes_dsi)
    client = sign_in_fully(Client(), cast.rennes_dsi)
    secret = client.get("/account/2fa/totp/replace/").context["form"].secret

    wrong = client.post("/account/2fa/totp/replace/", {"code": "000000"})
    assert wrong.status_code == 200
    client.post("/account/2fa/totp/replace/", {"code": one_time_code(secret)})

    browser = with_password(cast.rennes_dsi)
    assert browser.post(CODE_PAGE, {"code": one_time_code(former)}).status_code == 200
    assert browser.post(CODE_PAGE, {"code": one_time_code(secret)}).status_code == 302


def test_a_code_opens_once_for_as_long_as_it_would_be_good(cast: Cast, monkeypatch: Any) -> None:
    secret = set_app(cast.rennes_dsi)
    code = one_time_code(secret)
    assert with_password(cast.rennes_dsi).post(CODE_PAGE, {"code": code}).status_code == 302
    # allauth's own memory of it lasts one period only.
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda *_: True)

    again = with_password(cast.rennes_dsi).post(CODE_PAGE, {"code": code})

    assert again.status_code == 200
    assert again.context["form"].errors


def test_a_recovery_code_opens_once_and_counts_as_shown(cast: Cast) -> None:
    set_app(cast.rennes_dsi)
    client = sign_in_fully(Client(), cast.rennes_dsi)
    client.post("/account/2fa/recovery-codes/generate/")
    page = client.get("/account/2fa/recovery-codes/")
    code = page.context["unused_codes"][0]
    assert code in page.content.decode()

    browser = with_password(cast.rennes_dsi)
    assert browser.post(CODE_PAGE, {"code": code}).status_code == 302
    assert browser.get("/servers/").status_code == 200
    assert with_password(cast.rennes_dsi).post(CODE_PAGE, {"code": code}).status_code == 200


def test_secrets_are_sealed_and_no_page_with_them_is_kept(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_user)
    page = client.get("/account/2fa/totp/activate/")
    secret = page.context["form"].secret
    done = client.post("/account/2fa/totp/activate/", {"code": one_time_code(secret)}, follow=True)

    for response in (page, done, client.get("/account/2fa/recovery-codes/download/")):
        assert "no-store" in response.headers["Cache-Control"]
    held = Authenticator.objects.filter(user=cast.rennes_user)
    assert held.count() == 2
    assert secret not in str([row.data for row in held])


@pytest.fixture
def protected(cast: Cast) -> User:
    """Rennes's IT department with an app, recovery codes and a session."""
    secret = set_app(cast.rennes_dsi)
    client = with_password(cast.rennes_dsi)
    client.post(CODE_PAGE, {"code": one_time_code(secret)})
    assert client.post("/account/2fa/recovery-codes/generate/").status_code == 302
    assert client.get("/servers/").status_code == 200
    return cast.rennes_dsi


def test_an_administrator_takes_a_lost_factor_off(cast: Cast, protected: User) -> None:
    admin = sign_in_fully(Client(), cast.admin)
    address = f"/people/accounts/{protected.pk}/second-factor/"
    listed = admin.get("/people/?at=rennes").content.decode()
    assert f'href="{address}?at=rennes"' in listed
    assert admin.get(address).status_code == 200
    sessions = Session.objects.count()

    admin.post(address)

    assert not Authenticator.objects.filter(user=protected).exists()
    assert Session.objects.count() == sessions - 1
    (told,) = deliver()
    assert told.to == [protected.email]
    assert "http://" in told.body
    event = AuditEvent.objects.order_by("-seq")[0]
    assert (event.verb, event.object_id) == ("people.reset_second_factor", str(protected.pk))
    assert event.diff == {"kinds": ["recovery_codes", "totp"]}


def test_nobody_takes_off_their_own_and_nobody_else_another_s(cast: Cast, protected: User) -> None:
    sign_in_fully(Client(), cast.admin)
    for by, user in (
        (cast.admin, cast.admin),
        (protected, protected),
        (cast.reims_dsi, protected),
        (cast.auditor, protected),
    ):
        with pytest.raises(PermissionDenied):
            reset_second_factor(by=by, user=user)
    with pytest.raises(ValidationError):
        reset_second_factor(by=cast.admin, user=cast.rennes_user)

    others = sign_in_fully(Client(), cast.reims_dsi)
    assert others.post(f"/people/accounts/{protected.pk}/second-factor/").status_code == 404
    assert has_factor(protected)


def test_the_operator_helps_the_last_administrator(cast: Cast) -> None:
    set_app(cast.admin)
    out = StringIO()

    call_command("reset_second_factor", "Admin@example.org", stdout=out)

    assert not has_factor(cast.admin)
    assert "admin@example.org" in out.getvalue()
    for address in ("nobody@example.org", "admin@example.org"):
        with pytest.raises(CommandError):
            call_command("reset_second_factor", address)


@pytest.mark.django_db(transaction=True)
def test_setting_one_is_told_by_the_journal(cast: Cast) -> None:
    client = sign_in_fully(Client(), cast.rennes_user)
    secret = client.get("/account/2fa/totp/activate/").context["form"].secret

    client.post("/account/2fa/totp/activate/", {"code": one_time_code(secret)})

    events = AuditEvent.objects.filter(verb="people.add_second_factor")
    assert {event.diff["kind"] for event in events} == {"totp", "recovery_codes"}
    assert all(event.actor_pseudonym == cast.rennes_user.pseudonym for event in events)


@pytest.mark.parametrize(
    ("address", "work"),
    [
        ("https://ilaas.example.fr/", True),
        ("http://localhost:8000/", True),
        ("http://portal.localhost/", True),
        ("http://127.0.0.1:8000/", False),
        ("https://192.0.2.1/", False),
        ("http://[::1]:8000/", False),
        ("http://ilaas.example.fr/", False),
    ],
)
def test_a_passkey_needs_a_name_and_tls(address: str, work: bool) -> None:
    assert passkeys_work_at(address) is work


def test_an_operator_is_no_person_whose_own_it_is(cast: Cast) -> None:
    set_app(cast.admin)

    reset_second_factor(by=OPERATOR, user=cast.admin)

    assert verbs()[-1] == "people.reset_second_factor"
