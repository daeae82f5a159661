"""Every page of accounts stands in the common design; who signs up proves the address, and has no right by it."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.test import Client
from pytest_django import Settings

from federation.journal.models import AuditEvent
from federation.people.models import User
from tests.support.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
OF_VISITORS = ["/account/login/", "/account/password/reset/", "/account/password/reset/done/"]
OF_ACCOUNTS = [
    "/account/email/",
    "/account/password/change/",
    "/account/2fa/",
    "/account/2fa/totp/activate/",
    "/account/sessions/",
    "/account/logout/",
    "/account/reauthenticate/",
]


@pytest.fixture
def signed_in(client: Client) -> Client:
    """By the form, as a person: some of these pages ask when one last gave the password."""
    user = make_user("yann")
    response = client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    assert response.headers["Location"] == "/"
    return client


def check_design(html: str) -> None:
    assert "css/ilaas.css" in html
    assert html.count("<h1") == 1
    assert "<title>" in html
    assert "<title> ·" not in html


@pytest.mark.parametrize("address", OF_VISITORS)
def test_a_visitors_page_stands_in_the_design(client: Client, address: str) -> None:
    response = client.get(address)

    assert response.status_code == 200
    check_design(response.content.decode())


@pytest.mark.parametrize("address", OF_ACCOUNTS)
def test_a_page_of_ones_account_stands_in_the_design(signed_in: Client, address: str) -> None:
    response = signed_in.get(address, follow=True)

    assert response.status_code == 200
    check_design(response.content.decode())


@pytest.mark.parametrize(
    "address", ["/account/2fa/recovery-codes/generate/", "/account/2fa/totp/deactivate/"]
)
def test_a_page_of_a_protected_account_stands_in_the_design(client: Client, address: str) -> None:
    user = make_user("yann")
    TOTP.activate(user, generate_totp_secret())
    client.force_login(user)

    response = client.get(address, follow=True)

    assert response.status_code == 200
    check_design(response.content.decode())


def sign_up(client: Client, **changes: str) -> Any:
    given = {
        "name": "Ada Le Goff",
        "email": "ada@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    return client.post("/account/signup/?next=/membership/", {**given, **changes})


def code_in(text: str) -> str:
    found = re.search(r"^[A-Z0-9-]{6,}$", text, re.MULTILINE)
    assert found is not None, text
    return found[0]


def test_who_signs_up_proves_the_address_and_goes_on_where_they_wanted_to(client: Client) -> None:
    check_design(client.get("/account/signup/").content.decode())

    sign_up(client)
    asked = client.get("/account/confirm-email/")
    check_design(asked.content.decode())
    answer = client.post("/account/confirm-email/", {"code": code_in(str(mail.outbox[0].body))})

    assert answer.headers["Location"] == "/membership/"
    user = User.objects.get()
    assert (user.name, user.grants, user.is_staff) == ("Ada Le Goff", frozenset(), False)
    assert AuditEvent.objects.get(verb="people.sign_up").actor_pseudonym == user.pseudonym


def test_before_the_code_nobody_is_signed_in(client: Client) -> None:
    sign_up(client, email="eve@example.org")

    assert client.get("/keys/").status_code == 302
    wrong = client.post("/account/confirm-email/", {"code": "AAAAAA"})
    assert wrong.status_code == 200
    assert client.get("/keys/").status_code == 302


def test_an_address_that_has_an_account_is_told_only_by_e_mail(client: Client) -> None:
    user = make_user("yann")

    known = sign_up(client, email=user.email)
    new = sign_up(Client(), email="nobody-yet@example.org")

    assert known.headers["Location"] == new.headers["Location"]
    assert "/account/password/reset/" in mail.outbox[0].body
    assert User.objects.filter(email=user.email).count() == 1


def test_a_wrong_password_is_told_without_saying_which_was_wrong(client: Client) -> None:
    user = make_user("yann")

    known = client.post("/account/login/", {"login": user.email, "password": "wrong password"})
    unknown = client.post(
        "/account/login/", {"login": "x@example.org", "password": "wrong password"}
    )

    assert known.context["form"].errors == unknown.context["form"].errors


def test_a_forgotten_password_is_reset_by_a_link_in_the_mail(client: Client) -> None:
    user = make_user("yann")

    client.post("/account/password/reset/", {"email": user.email})
    assert mail.outbox[0].subject == "[ILaaS] Un nouveau mot de passe"
    assert mail.outbox[0].body.endswith("ILaaS")
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    response = client.get(link, follow=True)

    check_design(response.content.decode())
    assert 'autocomplete="new-password"' in response.content.decode()


def test_a_link_in_a_mail_leads_to_the_portal_whatever_host_was_named(
    client: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://portal.example.fr"
    user = make_user("yann")

    client.post("/account/password/reset/", {"email": user.email}, headers={"host": "localhost"})

    links = [word for word in mail.outbox[0].body.split() if "://" in word]
    assert links
    assert all(link.startswith("https://portal.example.fr/") for link in links)
    assert "localhost" not in mail.outbox[0].body


def test_a_host_that_is_not_the_portals_own_is_refused(client: Client) -> None:
    response = client.post(
        "/account/password/reset/", {"email": "x@example.fr"}, headers={"host": "evil.example"}
    )

    assert response.status_code == 400
    assert mail.outbox == []


def test_a_used_reset_link_is_told_clearly(client: Client) -> None:
    response = client.get("/account/password/reset/key/1-wrong/")

    assert response.status_code == 200
    check_design(response.content.decode())


def test_a_sole_address_that_is_proved_has_no_button(signed_in: Client) -> None:
    html = signed_in.get("/account/email/").content.decode()

    assert "yann@example.org" in html
    assert re.findall(r'name="(action_\w+)"', html) == ["action_add"]


def test_a_second_address_can_be_proved_be_the_first_or_go(signed_in: Client) -> None:
    user = User.objects.get(name="yann")
    EmailAddress.objects.create(user=user, email="other@example.org", verified=False)

    html = signed_in.get("/account/email/").content.decode()

    assert re.findall(r'name="(action_\w+)"', html) == [
        "action_primary",
        "action_remove",
        "action_send",
        "action_add",
    ]


def test_the_present_session_is_listed(signed_in: Client) -> None:
    html = signed_in.get("/account/sessions/").content.decode()

    assert "127.0.0.1" in html
    assert "Actuelle" in html


def test_no_session_is_no_table(client: Client) -> None:
    client.force_login(make_user("yann"))

    html = client.get("/account/sessions/").content.decode()

    assert "<table" not in html


def test_who_waits_for_the_letter_of_a_new_password_finds_the_ways_on(
    client: Client, settings: Settings
) -> None:
    settings.SITE_CONTACT = "contact@example.org"

    html = client.get("/account/password/reset/done/").content.decode()

    main = html[html.index("<main") : html.index("</main")]
    for address in ("/account/login/", "/account/password/reset/", "mailto:contact@example.org"):
        assert f'href="{address}"' in main
