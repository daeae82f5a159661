"""Passkeys in a real browser, whose authenticator is a virtual one: set, used, refused, renamed, removed.

At `localhost`: browsers make passkeys for names only.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, CDPSession, Page, expect

from federation.people.enums import Language
from federation.people.models import User
from tests.support.browser import (
    DESKTOP,
    REPORT_VIOLATIONS,
    Complaints,
    Portal,
    listen,
    looked_at,
)
from tests.support.factories import PASSWORD, Cast, make_cast
from tests.support.factors import set_app

KEY_OF_A_DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def cast(portal: Portal) -> Cast:
    cast = make_cast()
    User.objects.update(language=Language.ENGLISH)
    return cast


class Device:
    """A browser with an authenticator of its own."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page, self._session = page, session
        session.send("WebAuthn.enable")
        made = session.send("WebAuthn.addVirtualAuthenticator", {"options": KEY_OF_A_DEVICE})
        self._id = made["authenticatorId"]

    def will(self, verify: bool) -> None:
        """Say whether its owner shows a finger from now on."""
        given = {"authenticatorId": self._id, "isUserVerified": verify}
        self._session.send("WebAuthn.setUserVerified", given)

    def keys(self) -> int:
        found: dict[str, Any] = self._session.send(
            "WebAuthn.getCredentials", {"authenticatorId": self._id}
        )
        return len(found["credentials"])


@pytest.fixture
def device(browser: Browser, portal: Portal, complaints: Complaints) -> Iterator[Device]:
    context = browser.new_context(
        base_url=portal.url.replace("127.0.0.1", "localhost"),
        locale="en",
        viewport=DESKTOP,
        reduced_motion="reduce",
    )
    context.add_init_script(REPORT_VIOLATIONS)
    page = context.new_page()
    listen(page, complaints)
    yield Device(page, context.new_cdp_session(page))
    context.close()


def log_in(page: Page, user: User, path: str = "/servers/") -> None:
    page.goto(path)
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


def log_out(page: Page, user: User) -> None:
    page.get_by_role("button", name=user.name).click()
    page.get_by_role("button", name="Sign out").click()


def set_a_passkey(page: Page, name: str = "Laptop") -> None:
    page.get_by_label("Its name").fill(name)
    page.get_by_role("button", name="Create it now").click()


def test_a_role_leads_to_a_passkey_which_then_signs_in_alone(device: Device, cast: Cast) -> None:
    page = device.page
    log_in(page, cast.rennes_dsi)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your second factor")

    page.get_by_role("link", name="Create a passkey").click()
    set_a_passkey(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    page.get_by_role("link", name="Go on where you were").click()
    expect(page).to_have_url(re.compile("/servers/$"))
    assert device.keys() == 1

    log_out(page, cast.rennes_dsi)
    page.goto("/account/login/?next=/keys/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My keys")
    page.goto("/servers/")
    expect(page).to_have_url(re.compile("/servers/$"))


def test_after_the_password_a_passkey_is_the_second_factor(device: Device, cast: Cast) -> None:
    page = device.page
    log_in(page, cast.rennes_dsi)
    page.get_by_role("link", name="Create a passkey").click()
    set_a_passkey(page)
    page.get_by_role("link", name="Go on where you were").click()
    log_out(page, cast.rennes_dsi)

    log_in(page, cast.rennes_dsi)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your second factor")
    page.get_by_role("button", name="Use a passkey").click()

    expect(page).to_have_url(re.compile("/servers/$"))


def test_who_does_not_show_a_finger_is_told_so_on_the_page(device: Device, cast: Cast) -> None:
    page = device.page
    log_in(page, cast.rennes_dsi)
    page.get_by_role("link", name="Create a passkey").click()
    device.will(verify=False)

    set_a_passkey(page)

    expect(page.get_by_role("alert")).to_contain_text("The passkey was not used")
    assert device.keys() == 0
    assert not Authenticator.objects.exists()


def test_a_second_passkey_is_renamed_and_removed_and_the_last_one_stays(
    device: Device, cast: Cast
) -> None:
    page = device.page
    log_in(page, cast.rennes_dsi, "/account/2fa/")
    page.get_by_role("link", name="Create a passkey").click()
    set_a_passkey(page, "Laptop")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    page.goto("/account/2fa/webauthn/")

    page.get_by_role("link", name="Rename (Laptop)").click()
    page.get_by_label("Name").fill("Desk")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Remove (Desk)").click()
    page.get_by_role("main").get_by_role("button", name="Remove").click()

    expect(page.get_by_role("alert")).to_contain_text("this is the only one you have")
    set_app(cast.rennes_dsi)
    page.get_by_role("main").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("main")).to_contain_text("None yet")


def test_a_session_from_before_shows_the_passkey_once(
    device: Device, browser: Browser, cast: Cast
) -> None:
    page = device.page
    log_in(page, cast.rennes_dsi)
    page.get_by_role("link", name="Create a passkey").click()
    set_a_passkey(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    session = page.context.cookies()
    name = next(cookie for cookie in session if cookie.get("name") == "sessionid")
    strip_of_its_proof(str(name.get("value")))

    page.goto("/servers/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Show your second factor")
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()

    expect(page).to_have_url(re.compile("/servers/$"))


def strip_of_its_proof(key: str) -> None:
    session = SessionStore(key)
    session.pop("account_authentication_methods", None)
    session.save()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_asks_for_a_factor_is_accessible_where_passkeys_work(
    device: Device, cast: Cast, language: str
) -> None:
    """`test_every_page` looks at the others, at an address where no browser makes a passkey."""
    page, user = device.page, cast.rennes_dsi
    page.set_extra_http_headers({"accept-language": language})
    User.objects.filter(pk=user.pk).update(language=language)
    page.goto("/servers/")
    found = list(looked_at(page))
    type_password(page, user)
    found += looked_at(page)
    page.goto("/account/2fa/webauthn/add/")
    found += looked_at(page)
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url("**/recovery-codes/")
    page.context.clear_cookies()
    page.goto("/servers/")
    type_password(page, user)
    page.wait_for_url("**/2fa/authenticate/")
    found += looked_at(page)

    assert found == []


def type_password(page: Page, user: User) -> None:
    page.locator("[name=login]").fill(user.email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("form[action='/account/login/'] button[type=submit]").click()
