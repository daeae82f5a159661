"""A key in a real browser: made, copied, first used, never seen again, revoked."""

import re

import pytest
from playwright.sync_api import Dialog, Error, Page, expect

from federation.access.keys import is_well_formed
from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from routing.core.enums import RequestStatus
from tests.support.browser import PHONE, Portal, Visit, accessibility_problems, scrolls_sideways
from tests.support.calls import store_calls
from tests.support.factories import Cast, make_application, make_cast, make_key, serve_model


@pytest.fixture
def cast(portal: Portal) -> Cast:
    return make_cast()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)


def make_key_in(page: Page) -> str:
    """Fill the form as someone does who makes a first key; return the key that is shown."""
    page.get_by_label("Name of the new application").fill("carnet")
    page.get_by_label("Name of the key").fill("portable")
    page.get_by_role("button", name="Create the key").click()
    return page.locator("#key-text").inner_text()


def leave(page: Page) -> None:
    page.get_by_role("link", name="I have copied it").click()
    expect(page).to_have_url(re.compile("/keys/$"))


def test_from_the_empty_list_to_a_key_in_the_clipboard(
    visit: Visit, cast: Cast, deployment: Deployment
) -> None:
    page = visit("/keys/", as_=cast.rennes_user)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("main").get_by_role("link", name="Create a key").first.click()
    text = make_key_in(page)
    page.locator("[data-copy='key-text']").click()

    expect(page.locator("[data-copy='key-text']")).to_have_text("Copied")
    assert is_well_formed(text)
    assert page.evaluate("navigator.clipboard.readText()") == text
    leave(page)
    expect(page.get_by_role("main")).to_contain_text(f"…{text[-4:]}")
    expect(page.get_by_role("main")).not_to_contain_text(text)


def test_the_calls_are_copied_whole(visit: Visit, cast: Cast, deployment: Deployment) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = make_key_in(page)

    for title in ("Python", "JavaScript", "curl"):
        page.locator("summary", has_text=title).click()
        page.locator("details[open] [data-copy]:visible").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert text in copied
        assert deployment.version.model.slug in copied
    leave(page)


def test_the_page_turns_green_when_the_first_call_arrives(
    visit: Visit, cast: Cast, deployment: Deployment
) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    make_key_in(page)
    listening = page.locator("[data-first-call]")
    expect(listening).to_contain_text("This page listens")
    key = ApiKey.objects.get()

    store_calls(key, deployment, status=RequestStatus.SERVER_ERROR, http_status=502)
    expect(listening).to_contain_text("HTTP 502")
    assert accessibility_problems(page) == []
    store_calls(key, deployment)

    expect(listening).to_contain_text("The first call has arrived")
    expect(listening).to_contain_text(deployment.server.name)
    assert accessibility_problems(page) == []
    leave(page)


def test_the_page_with_the_key_is_not_left_by_mistake(visit: Visit, cast: Cast) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    make_key_in(page)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_role("link", name="My usage").first.click()

    assert asked == ["beforeunload"]
    expect(page.locator("#key-text")).to_be_visible()
    leave(page)
    assert asked == ["beforeunload"]


def test_the_back_button_does_not_show_the_key_again(visit: Visit, cast: Cast) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    make_key_in(page)
    leave(page)

    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # a page that no browser keeps
        page.go_back()

    expect(page.locator("#key-text")).to_have_count(0)
    assert ApiKey.objects.count() == 1


def test_sending_the_form_again_by_a_reload_makes_no_second_key(visit: Visit, cast: Cast) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    text = make_key_in(page)
    page.on("dialog", lambda dialog: dialog.accept())

    page.reload()

    expect(page.get_by_role("alert")).to_be_visible()
    assert text not in page.content()
    assert ApiKey.objects.count() == 1


def test_a_double_click_makes_one_key(visit: Visit, cast: Cast) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    page.get_by_label("Name of the new application").fill("carnet")
    page.get_by_label("Name of the key").fill("portable")

    page.get_by_role("button", name="Create the key").dblclick()

    expect(page.locator("#key-text")).to_be_visible()
    assert ApiKey.objects.count() == 1
    leave(page)


def test_what_is_wrong_is_said_at_its_field(visit: Visit, cast: Cast) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    page.get_by_label("Web origins").fill("chat.example.fr")

    page.get_by_role("button", name="Create the key").click()

    name = page.get_by_label("Name of the key")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Web origins")).to_have_value("chat.example.fr")
    expect(page.get_by_role("alert")).to_contain_text("chat.example.fr")
    assert accessibility_problems(page) == []


def test_a_new_application_is_described_only_when_it_is_chosen(visit: Visit, cast: Cast) -> None:
    make_application(cast.rennes, cast.rennes_user, "moodle")
    page = visit("/keys/new/", as_=cast.rennes_user)
    new = page.get_by_label("Name of the new application")
    expect(new).to_be_visible()

    page.get_by_label("Application", exact=True).select_option(label="moodle · Rennes")

    expect(new).to_be_hidden()
    page.get_by_label("Name of the key").fill("portable")
    page.get_by_role("button", name="Create the key").click()
    expect(page.locator("#key-text")).to_be_visible()
    leave(page)


def test_a_key_is_revoked_with_a_reason(visit: Visit, cast: Cast) -> None:
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    page = visit("/keys/", as_=cast.rennes_user)

    page.get_by_role("link", name=f"Revoke {key.name}").click()
    assert accessibility_problems(page) == []
    page.get_by_label("Reason").fill("leaked")
    page.get_by_role("button", name="Revoke for good").click()

    expect(page.get_by_role("status").first).to_contain_text("is revoked")
    expect(page.get_by_role("main")).not_to_contain_text(key.prefix)
    page.get_by_role("link", name="Revoked or expired").click()
    expect(page.get_by_role("main")).to_contain_text("leaked")


@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
def test_the_page_with_the_key_is_readable(
    visit: Visit, cast: Cast, deployment: Deployment, size: dict[str, int] | None
) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user, theme="dark", size=size)
    make_key_in(page)

    assert accessibility_problems(page) == []
    assert not scrolls_sideways(page)
    leave(page)


def test_a_configuration_file_is_saved_with_the_key_in_it(
    visit: Visit, cast: Cast, deployment: Deployment
) -> None:
    page = visit("/keys/new/", as_=cast.rennes_user)
    text = make_key_in(page)

    page.locator("summary", has_text="Open WebUI").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="open-webui.env").click()
    page.locator("summary", has_text="opencode").click()
    with page.expect_download() as without:
        page.get_by_role("link", name="opencode.json").click()

    assert saved.value.suggested_filename == "open-webui.env"
    assert f"OPENAI_API_KEY={text}\n" in saved.value.path().read_text()
    assert without.value.suggested_filename == "opencode.json"
    assert deployment.version.model.slug in without.value.path().read_text()
    assert accessibility_problems(page) == []
    leave(page)


def test_a_key_is_replaced_and_the_old_one_shows_until_when_it_works(
    visit: Visit, cast: Cast
) -> None:
    key, old = make_key(make_application(cast.rennes, cast.rennes_user))
    page = visit("/keys/", as_=cast.rennes_user)

    page.get_by_role("link", name=f"Replace {key.name}").click()
    page.get_by_role("button", name="Create the new key").click()
    text = page.locator("#key-text").inner_text()
    assert is_well_formed(text)
    assert text != old
    leave(page)

    expect(page.get_by_role("main")).to_contain_text("being replaced")
    expect(page.get_by_role("main")).to_contain_text(f"…{text[-4:]}")


def test_an_it_department_revokes_the_ticked_keys(visit: Visit, cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")
    make_key(application, name="one"), make_key(application, name="two")
    page = visit("/keys/", as_=cast.rennes_dsi)

    page.get_by_role("link", name="All keys of the institution").click()
    page.get_by_label("Choose one of moodle").check()
    page.get_by_label("Reason").fill("audit")
    page.get_by_role("button", name="Revoke the ticked keys").click()

    expect(page.get_by_role("status").first).to_contain_text("1 key is revoked")
    assert [key.name for key in ApiKey.objects.usable()] == ["two"]


def test_a_leaked_key_is_handed_in_by_a_visitor(visit: Visit, cast: Cast) -> None:
    _key, text = make_key(make_application(cast.rennes, cast.rennes_user))
    page = visit("/keys/report-leak/")

    page.get_by_label("The key, or the text").fill(f"token = '{text}'")
    page.get_by_role("button", name="Hand it in").click()

    expect(page.get_by_role("main")).to_contain_text("Thank you")
    assert accessibility_problems(page) == []
    assert text not in page.content()
    assert not ApiKey.objects.usable().exists()
