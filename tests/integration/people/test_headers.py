"""Pages about signing in: the strict policy, cookies that scripts cannot read, no copy anywhere."""

import re

import pytest
from django.test import Client
from pytest_django import Settings

from config.headers import POLICY
from tests.support.factories import PASSWORD, Cast
from tests.support.factors import sign_in_fully

OF_VISITORS = ["/account/login/", "/account/signup/", "/account/password/reset/"]
OF_FACTORS = [
    "/account/2fa/",
    "/account/2fa/webauthn/",
    "/account/2fa/webauthn/add/",
    "/account/2fa/totp/replace/",
    "/account/2fa/recovery-codes/generate/",
    "/account/reauthenticate/",
    "/account/2fa/reauthenticate/",
    "/account/2fa/webauthn/reauthenticate/",
    "/account/email/",
]


@pytest.mark.parametrize("address", [*OF_VISITORS, *OF_FACTORS])
def test_a_page_about_signing_in_is_strict_and_kept_nowhere(cast: Cast, address: str) -> None:
    client = Client() if address in OF_VISITORS else sign_in_fully(Client(), cast.rennes_dsi)

    response = client.get(address, headers={"host": "localhost"})

    if response.status_code == 200:
        html = response.content.decode()
        for script in re.findall(r"<script[^>]*>", html):
            assert " src=" in script or 'type="application/json"' in script, script
        assert not re.search(r"<[^>]+ (?:style|on[a-z]+)=", html)
    assert response.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "no-store" in response.headers["Cache-Control"]


def test_the_session_is_not_for_scripts_nor_for_other_sites(cast: Cast, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client = Client()

    client.post("/account/login/", {"login": cast.rennes_user.email, "password": PASSWORD})

    session = client.cookies["sessionid"]
    assert (session["httponly"], session["secure"], session["samesite"]) == (True, True, "Lax")


def test_signing_in_changes_the_session(cast: Cast) -> None:
    """A session that somebody else has put into the browser opens nothing afterwards."""
    client = Client()
    client.get("/account/2fa/webauthn/login/", headers={"accept": "application/json"})
    before = client.cookies["sessionid"].value

    client.post("/account/login/", {"login": cast.rennes_user.email, "password": PASSWORD})

    assert client.cookies["sessionid"].value != before
    thief = Client()
    thief.cookies["sessionid"] = before
    assert thief.get("/keys/").status_code == 302
