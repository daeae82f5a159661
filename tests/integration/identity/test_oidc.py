"""Signing in by OpenID Connect, ProConnect's signed answers among it; and answers that are not what they seem."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from pytest_django.fixtures import Settings

from federation.identity.models import SignInService
from federation.identity.operations import (
    OidcFacts,
    add_oidc_service,
    end_service,
    link_service,
    service_secret,
)
from federation.people.enums import Role
from federation.people.models import User
from routing.upstream.credentials import Secret
from tests.support.factories import OPERATOR, Cast
from tests.support.oidc import CLIENT, SECRET, OidcProvider, oidc_provider
from tests.support.pages import signed_in_as

ANNE = {
    "sub": "anne-1",
    "email": "anne@univ-rennes.fr",
    "email_verified": True,
    "given_name": "Anne",
    "family_name": "Le Goff",
    "eduperson_affiliation": ["employee"],
}


@pytest.fixture
def provider(settings: Settings) -> Iterator[OidcProvider]:
    with oidc_provider() as found:
        settings.SIGN_IN_GRANTS = (("127.0.0.1", found.port),)
        found.told = dict(ANNE)
        yield found


def facts(provider: OidcProvider, **changes: Any) -> OidcFacts:
    whole = OidcFacts(provider.issuer, "Rennes", CLIENT, Secret(SECRET), ("univ-rennes.fr",))
    return whole._replace(**changes)


@pytest.fixture
def service(cast: Cast, provider: OidcProvider) -> SignInService:
    row = add_oidc_service(by=OPERATOR, slug="rennes", facts=facts(provider))
    return link_service(by=OPERATOR, service=row, institution=cast.rennes)


def sign_in(client: Client, provider: OidcProvider, slug: str = "rennes", **query: str) -> int:
    """Go to the provider and come back; return how it ended."""
    sent = client.get(f"/account/oidc/{slug}/login/", query)
    assert sent.status_code == 302, sent.content[:300]
    code, state = provider.authorize(sent["location"])
    back = client.get(f"/account/oidc/{slug}/login/callback/", {"code": code, "state": state})
    return back.status_code


def user_of(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_who_works_there_comes_in_and_has_a_role(
    cast: Cast, service: SignInService, provider: OidcProvider, client: Client
) -> None:
    assert sign_in(client, provider) == 302

    user = User.objects.get(email="anne@univ-rennes.fr")
    assert user_of(client) == str(user.pk)
    assert user.name == "Anne Le Goff"
    assert user.has_role(Role.USER, cast.rennes.pk)
    assert EmailAddress.objects.get(user=user).verified
    assert provider.asked["code_challenge_method"] == "S256"
    assert SocialAccount.objects.get().extra_data == {
        "affiliations": ["employee"],
        "uais": [],
        "siret": "",
        "doubt": "",
    }


def test_proconnect_says_who_it_is_in_a_signed_answer_and_where_they_work(
    cast: Cast, provider: OidcProvider, client: Client
) -> None:
    cast.rennes.siret = "19350936100013"
    cast.rennes.save()
    provider.signs_userinfo = True
    provider.told = {
        "sub": "p-1",
        "email": "jean@univ-rennes.fr",
        "given_name": "Jean",
        "usual_name": "Dupont",
        "siret": "19350936100013",
    }
    add_oidc_service(by=OPERATOR, slug="proconnect", facts=facts(provider, is_proconnect=True))

    assert sign_in(client, provider, "proconnect") == 302

    user = User.objects.get(email="jean@univ-rennes.fr")
    assert (user.name, user_of(client)) == ("Jean Dupont", str(user.pk))
    assert user.has_role(Role.USER, cast.rennes.pk)
    assert provider.asked["acr_values"] == "eidas1"
    assert "siret" in provider.asked["scope"].split()


def test_an_address_of_another_domain_is_proved_by_a_code(
    service: SignInService, provider: OidcProvider, client: Client
) -> None:
    provider.told["email"] = "anne@elsewhere.example.org"

    assert sign_in(client, provider) == 302

    assert user_of(client) is None
    assert not EmailAddress.objects.get(email="anne@elsewhere.example.org").verified


def test_it_opens_no_account_of_another_domain(
    cast: Cast, service: SignInService, provider: OidcProvider, client: Client
) -> None:
    provider.told["email"] = cast.admin.email

    sign_in(client, provider)

    assert user_of(client) is None
    assert not SocialAccount.objects.filter(user=cast.admin).exists()


FORGED = jwt.encode(
    {"iss": "x", "aud": CLIENT, "sub": "anne-1", "exp": 4_000_000_000},
    rsa.generate_private_key(public_exponent=65537, key_size=2048),
    algorithm="RS256",
    headers={"kid": "one"},
)


@pytest.mark.parametrize(
    "changes",
    [
        {"id_token": {"iss": "https://elsewhere.example.org"}},
        {"id_token": {"aud": "another"}},
        {"id_token": {"exp": 1}},
        {"id_token": {"sub": "somebody-else"}},
        {"id_token": {"sub": ""}},
        {"raw_id_token": FORGED},
        {"raw_id_token": jwt.encode({"sub": "anne-1"}, "", algorithm="none")},
        {"raw_id_token": "not.a.token"},
        {"userinfo": {"sub": "somebody-else"}},
    ],
)
def test_an_answer_that_is_not_what_it_seems_is_refused(
    service: SignInService, provider: OidcProvider, client: Client, changes: dict[str, Any]
) -> None:
    provider.changes = changes

    assert sign_in(client, provider) == 401

    assert user_of(client) is None
    assert not SocialAccount.objects.exists()


def test_another_issuer_than_was_set_up_is_refused(
    service: SignInService, provider: OidcProvider, client: Client
) -> None:
    provider.issuer_told = "https://elsewhere.example.org"

    assert client.get("/account/oidc/rennes/login/").status_code == 401


def test_a_code_is_good_once_and_in_its_own_browser(
    service: SignInService, provider: OidcProvider, client: Client
) -> None:
    sent = client.get("/account/oidc/rennes/login/")
    code, state = provider.authorize(sent["location"])
    thief = Client()
    back = "/account/oidc/rennes/login/callback/"

    assert thief.get(back, {"code": code, "state": state}).status_code in (401, 403)
    assert user_of(thief) is None
    assert client.get(back, {"code": code, "state": state}).status_code == 302
    client.post("/account/logout/")
    assert client.get(back, {"code": code, "state": state}).status_code in (401, 403)
    assert user_of(client) is None


def test_a_provider_on_this_machine_is_reached_only_by_leave(
    service: SignInService, provider: OidcProvider, client: Client, settings: Settings
) -> None:
    settings.SIGN_IN_GRANTS = ()

    assert client.get("/account/oidc/rennes/login/").status_code == 401


def test_the_secret_is_sealed_and_gone_with_the_service(
    cast: Cast, service: SignInService, provider: OidcProvider, client: Client
) -> None:
    assert SECRET not in service.sealed_secret
    assert service_secret(service).reveal() == SECRET
    with pytest.raises(PermissionDenied):
        end_service(by=cast.rennes_dsi, service=service)

    end_service(by=cast.admin, service=service)

    service.refresh_from_db()
    assert service.sealed_secret == ""
    assert client.get("/account/oidc/rennes/login/").status_code == 404
    with pytest.raises(ValidationError):
        end_service(by=cast.admin, service=service)


def test_who_has_no_password_confirms_by_signing_in_again(
    cast: Cast, service: SignInService, provider: OidcProvider, client: Client
) -> None:
    sign_in(client, provider)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 3600
    session.save()

    way = client.get("/sign-in/again/", {"next": "/keys/"})

    assert way["location"] == "/account/oidc/rennes/login/?next=%2Fkeys%2F&again=1"
    sent = client.get(way["location"])
    code, state = provider.authorize(sent["location"])
    assert provider.asked["prompt"] == "login"
    back = client.get("/account/oidc/rennes/login/callback/", {"code": code, "state": state})
    assert back["location"] == "/keys/"


def test_an_administrator_sets_one_up_on_a_page(cast: Cast, provider: OidcProvider) -> None:
    browser = signed_in_as(cast.admin)
    typed = {
        "name": "Université de Rennes",
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "secret": SECRET,
        "domains": "univ-rennes.fr",
    }
    for wrong in ({"issuer": "rennes"}, {"domains": "*.fr"}, {"secret": ""}, {"name": ""}):
        assert browser.post("/sign-in/services/openid/new/", typed | wrong).status_code == 200
    assert not SignInService.objects.exists()

    made = browser.post("/sign-in/services/openid/new/", typed)

    service = SignInService.objects.get()
    assert made["location"] == f"/sign-in/services/{service.pk}/"
    page = browser.get(made["location"]).content.decode()
    assert "/account/oidc/universite-de-rennes/login/callback/" in page
    assert SECRET not in page
    again = browser.post(
        "/sign-in/services/openid/new/", typed | {"issuer": "https://x.example.org"}
    )
    assert "Un autre service porte ce nom" in again.content.decode()
