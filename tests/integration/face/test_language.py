"""French by default, the browser's language else, one's own after signing in, and the switch."""

import pytest
from django.conf import settings
from django.test import Client

from federation.journal.models import AuditEvent
from federation.people.enums import Language
from federation.people.models import User
from tests.support.factories import PASSWORD, make_user
from tests.support.pages import signed_in_as

pytestmark = pytest.mark.django_db
COOKIE = settings.LANGUAGE_COOKIE_NAME


def spoken(client: Client, **headers: str) -> str:
    html = client.get("/", headers=headers).content.decode()
    return html.partition('<html lang="')[2][:2]


def test_french_is_spoken_to_whoever_asks_for_nothing_we_speak(client: Client) -> None:
    assert spoken(client) == "fr"
    assert spoken(client, **{"accept-language": "br"}) == "fr"
    assert spoken(client, **{"accept-language": "en-GB"}) == "en"


def test_the_switch_holds_and_comes_back_to_the_page(client: Client) -> None:
    response = client.post("/language/", {"language": "en", "next": "/accessibility/?a=1"})

    assert response.headers["Location"] == "/accessibility/?a=1"
    assert spoken(client) == "en"


def test_the_switch_of_someone_signed_in_is_kept_in_the_account() -> None:
    user = make_user("yann", language=Language.FRENCH)

    signed_in_as(user).post("/language/", {"language": "en"})

    assert User.objects.get(pk=user.pk).language == "en"
    assert AuditEvent.objects.filter(verb="people.choose_language").count() == 1


def test_signing_in_speaks_the_accounts_language(client: Client) -> None:
    user = make_user("mary", language=Language.ENGLISH)
    client.post("/language/", {"language": "fr"})

    client.post("/account/login/", {"login": user.email, "password": PASSWORD})

    assert client.cookies[COOKIE].value == "en"
    assert spoken(client) == "en"


@pytest.mark.parametrize(
    "language", ["", "de", "xx", "fr-FR-" + "x" * 500, "\0", "en\r\nSet-Cookie: a=b"]
)
def test_an_unknown_language_changes_nothing(language: str) -> None:
    user = make_user("yann")
    client = signed_in_as(user)

    response = client.post("/language/", {"language": language})

    assert response.status_code == 302
    assert User.objects.get(pk=user.pk).language == "fr"
    assert spoken(client) == "fr"


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_the_switch_leads_to_no_other_site(client: Client, address: str) -> None:
    response = client.post("/language/", {"language": "en", "next": address})

    assert response.headers["Location"] == "/"


def test_the_switch_takes_a_post_only(client: Client) -> None:
    assert client.get("/language/?language=en").status_code == 405
