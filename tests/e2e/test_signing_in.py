"""Signing in as people do it: password, one-time code, the wrong ones, and the first administrator."""

import re

import pytest
from playwright.sync_api import Page, expect

from federation.people.enums import Language, Role
from federation.people.models import User
from federation.people.operations import make_first_admin_link
from tests.support.browser import Portal, Visit
from tests.support.factories import OPERATOR, PASSWORD, make_user
from tests.support.factors import one_time_code, set_app


@pytest.fixture
def user(portal: Portal) -> User:
    return make_user("mary", language=Language.ENGLISH)


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail address").fill("mary@example.org")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def test_a_password_opens_the_page_that_was_asked_for(visit: Visit, user: User) -> None:
    page = visit("/keys/")

    sign_in(page)

    expect(page).to_have_url(re.compile("/keys/$"))
    expect(page.get_by_role("status").first).to_contain_text("mary")


def test_a_protected_account_asks_for_a_code(visit: Visit, user: User) -> None:
    secret = set_app(user)
    page = visit("/account/login/")

    sign_in(page)
    button = page.get_by_role("main").get_by_role("button", name="Sign in")
    page.get_by_role("textbox").fill("000000")
    button.click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("textbox").fill(one_time_code(secret))
    button.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, mary")


def test_a_wrong_password_is_told_where_reading_goes_on(visit: Visit, user: User) -> None:
    page = visit("/account/login/")

    sign_in(page, "wrong password")

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_value("")


def test_one_time_codes_are_turned_on(visit: Visit, user: User) -> None:
    page = visit("/account/2fa/")
    sign_in(page)
    page.get_by_role("link", name="Activate").click()

    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Authenticator code").fill(one_time_code(secret))
    page.get_by_role("button", name="Activate").click()

    expect(page.get_by_role("region", name="Unused codes")).to_have_text(
        re.compile(r"\d{8}\s\d{8}")
    )


def test_the_first_administrator_arrives(visit: Visit, portal: Portal) -> None:
    page = visit(f"/people/first-admin/{make_first_admin_link(by=OPERATOR)}/")

    page.get_by_label("Your name").fill("Ada Le Goff")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Open the account").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your second factor")
    page.get_by_role("link", name="Set up an app").click()
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Authenticator code").fill(one_time_code(secret))
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("link", name="Go on where you were").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Ada Le Goff")
    expect(page.get_by_role("link", name="Register")).to_be_visible()
    assert User.objects.get().has_role(Role.FEDERATION_ADMIN)


def test_logging_out_leads_to_the_visitors_page(visit: Visit, user: User) -> None:
    page = visit("/", as_=user)

    page.get_by_role("button", name="mary").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
