"""The life of a model in a real browser: proposed, voted about, tried by a named key, in production, announced."""

from playwright.sync_api import Page, expect

from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.people.enums import Language
from federation.people.models import User
from tests.support.browser import Visit
from tests.support.calls import store_calls
from tests.support.factories import (
    make_application,
    make_cast,
    make_key,
    make_model,
    serve_model,
)
from tests.support.lifecycle import in_days, pass_checks

NAME = "apertus-70b"


def english(user: User) -> User:
    user.language = Language.ENGLISH
    user.save(update_fields=["language"])
    return user


def propose(page: Page) -> None:
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="Proposed models").click()
    page.get_by_role("link", name="Propose a model").first.click()
    page.get_by_label("Public name").fill("with space")
    page.get_by_label("Publisher").fill("Swiss AI Initiative")
    page.get_by_label("Address of the weights").fill("https://huggingface.co/swiss-ai/Apertus-70B")
    page.get_by_label("Licence").fill("Apache-2.0")
    page.get_by_label("Why").fill("A recipe that is public as a whole.")
    page.get_by_role("button", name="Propose it").click()
    expect(page.locator("#id_slug_error")).to_contain_text("Letters, digits and")
    page.get_by_label("Public name").fill(NAME)
    page.get_by_role("button", name="Propose it").click()
    expect(page.locator(".ilaas-lead")).to_contain_text("proposed")


def vote(page: Page) -> None:
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="Proposed models").click()
    page.get_by_role("link", name=NAME).click()
    page.get_by_role("link", name="The model’s life").click()
    page.get_by_role("link", name="Put it to the vote").click()
    page.get_by_role("button", name="Open the ballot").click()
    page.get_by_label("yes").check()
    page.get_by_role("button", name="Vote, close and count").click()
    expect(page.locator(".ilaas-lead")).to_contain_text("staging")


def test_a_model_comes_is_tried_and_is_announced_to_end(visit: Visit) -> None:
    cast = make_cast()
    make_model("llama-3.3-70b")
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user, "moodle"))
    member, admin = visit("/", as_=english(cast.orleans_user)), visit("/", as_=english(cast.admin))

    propose(member)
    vote(admin)
    member.reload()
    expect(member.get_by_text("Members put servers of it into service")).to_be_visible()

    deployment = serve_model(cast.rennes, NAME)
    admin.get_by_role("link", name="Keys of the trial").click()
    admin.get_by_role("button", name=f"Name {key.name} for the trial").click()
    assert ApiKey.objects.get(trials__model__slug=NAME) == key
    expect(admin.get_by_role("button", name=f"Take {key.name} off")).to_be_visible()
    admin.goto(f"/lifecycle/models/{deployment.version.model_id}/")
    expect(admin.get_by_text("None of its servers has passed")).to_be_visible()
    pass_checks(deployment.server)
    admin.reload()
    admin.get_by_role("button", name="Put into production").click()
    expect(admin.locator(".ilaas-lead")).to_contain_text("production")

    store_calls(key, deployment, count=3)
    announce_an_end(admin)
    assert AIModel.objects.get(slug=NAME).retires_on == in_days(10)
    member.goto("/lifecycle/")
    expect(member.get_by_role("row").nth(1)).to_contain_text("llama-3.3-70b")


def announce_an_end(page: Page) -> None:
    """Too near at first, then on purpose."""
    page.get_by_role("link", name="Deprecate").click()
    expect(page.get_by_text("Keys that used it")).to_be_visible()
    page.get_by_label("Day of its retirement").fill(in_days(10).isoformat())
    page.get_by_label("Successor").select_option(label="llama-3.3-70b")
    page.get_by_role("button", name="Deprecate and tell").click()
    page.get_by_label("less than 30 days ahead on purpose").check()
    page.get_by_role("button", name="Deprecate and tell").click()
    expect(page.locator(".ilaas-lead")).to_contain_text("deprecated")
    expect(page.get_by_text("of 1 e-mails sent")).to_be_visible()
