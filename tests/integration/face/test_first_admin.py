"""The first administrator's one-time link: opens one account, signs in, and leads to the second factor."""

import logging

import pytest
from django.test import Client

from federation.people.enums import Role
from federation.people.models import FirstAdminLink, User
from federation.people.operations import make_first_admin_link
from tests.support.factories import OPERATOR, make_user

pytestmark = pytest.mark.django_db
PASSWORD = "une lande, deux menhirs"
GIVEN = {
    "name": "Ada Le Goff",
    "email": "Ada@Example.org",
    "password": PASSWORD,
    "again": PASSWORD,
}


@pytest.fixture
def address() -> str:
    return f"/people/first-admin/{make_first_admin_link(by=OPERATOR)}/"


def test_the_link_opens_an_account_and_leads_to_its_second_factor(
    client: Client, address: str
) -> None:
    response = client.post(address, GIVEN, follow=True)

    user = User.objects.get()
    assert (user.email, user.name) == ("ada@example.org", "Ada Le Goff")
    assert user.has_role(Role.FEDERATION_ADMIN)
    assert response.redirect_chain == [("/account/second-factor/", 302)]
    assert response.context["user"] == user
    assert 'href="/account/2fa/totp/activate/"' in response.content.decode()
    # Who has just chosen a password is not asked for it again.
    assert client.get("/account/2fa/totp/activate/").status_code == 200
    assert client.get("/").headers["Location"].startswith("/account/second-factor/")


def test_the_account_speaks_the_language_of_the_page(client: Client, address: str) -> None:
    client.post(address, GIVEN, headers={"accept-language": "en"})

    assert User.objects.get().language == "en"


def test_the_link_works_once(client: Client, address: str) -> None:
    client.post(address, GIVEN)

    response = Client().post(address, {**GIVEN, "email": "eve@example.org"})

    assert response.status_code == 404
    assert User.objects.count() == 1


@pytest.mark.parametrize("token", ["x", "a" * 5000, "é", "..%2f", "%00"])
def test_a_wrong_token_is_told_clearly(client: Client, token: str) -> None:
    response = client.get(f"/people/first-admin/{token}/")

    assert response.status_code == 404


def test_the_page_of_a_dead_link_says_how_to_get_another(client: Client) -> None:
    response = client.get("/people/first-admin/wrong/")

    assert "first_admin_link" in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]


def test_the_link_is_dead_once_there_is_an_administrator(client: Client, address: str) -> None:
    make_user("admin", Role.FEDERATION_ADMIN)

    assert client.get(address).status_code == 404
    assert client.post(address, GIVEN).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": f"{'x' * 250}@example.org"}, "email"),
        ({"password": "short", "again": "short"}, "password"),
        ({"password": "ada@example.org", "again": "ada@example.org"}, "password"),
        ({"password": "x" * 5000, "again": "x" * 5000}, "password"),
        ({"again": "another password"}, "again"),
        ({"again": ""}, "again"),
    ],
)
def test_bad_input_is_told_beside_its_field_and_uses_nothing_up(
    client: Client, address: str, changes: dict[str, str], field: str
) -> None:
    response = client.post(address, GIVEN | changes)

    assert response.status_code == 200
    assert field in response.context["form"].errors
    assert User.objects.count() == 0
    assert FirstAdminLink.objects.get().used_at is None


def test_an_address_that_has_an_account_is_told_beside_its_field(
    client: Client, address: str
) -> None:
    make_user("ada")

    response = client.post(address, GIVEN)

    assert "email" in response.context["form"].errors


def test_a_password_is_never_sent_back_nor_logged(
    client: Client, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    response = client.post(address, GIVEN | {"email": "nobody"})
    client.post(address, GIVEN)

    assert PASSWORD not in response.content.decode()
    assert PASSWORD not in caplog.text
