"""An institution joins, in a real browser: account, candidacy, agreement, vote, countersignature, first key."""

import re
from pathlib import Path

from django.conf import settings
from playwright.sync_api import FilePayload, Page, expect

from federation.members.models import Candidacy
from federation.people.enums import Language, Role
from federation.people.models import User
from tests.support.browser import Portal, Visit
from tests.support.candidates import PDF, make_draft
from tests.support.factories import PASSWORD, make_user
from tests.support.factors import one_time_code


def code_for(address: str) -> str:
    """Read the code from the latest e-mail to an address."""
    for path in sorted(Path(settings.EMAIL_FILE_PATH).glob("*.log"), reverse=True):
        text = path.read_text()
        if f"To: {address}" in text and (found := re.search(r"^[A-Z0-9-]{6,}$", text, re.M)):
            return found[0]
    raise AssertionError(f"no code was sent to {address}")


def pdf(name: str, more: bytes = b"") -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": PDF + more}


def sign_up(page: Page, address: str) -> None:
    page.get_by_role("link", name="Apply").click()
    page.get_by_label("Your name").fill("Ada Le Goff")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, again").fill(PASSWORD)
    page.get_by_role("button", name="Open the account").click()
    page.get_by_label("Code").fill(code_for(address))
    page.get_by_role("button", name="Confirm").click()


def fill_in_the_candidacy(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Nantes Université")
    page.get_by_label("Short name").fill("Nantes")
    page.get_by_label("SIRET").fill("130 029 747 00017")
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a SIRET")
    page.get_by_label("SIRET").fill("130 029 747 00016")
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_label("Contributor").check()
    page.get_by_label("Consumer").check()
    page.get_by_label("a compute node").check()
    page.get_by_role("button", name="Save and go on").click()
    for number, group in enumerate(("Governance", "Technical", "Finance", "Data protection (DPO)")):
        fields = page.get_by_role("group", name=group)
        fields.get_by_label("Name").fill(f"Contact {group}")
        fields.get_by_label("Function").fill("Vice-president")
        fields.get_by_label("E-mail address").fill(f"contact{number}@nantes.example")
    page.get_by_role("button", name="Save and hand in").click()


def decide(committee: Page) -> None:
    """Open the ballot, give its last vote, countersign."""
    committee.get_by_role("link", name="Members").click()
    committee.get_by_role("link", name="Nantes Université").click()
    committee.get_by_role("button", name="Open the ballot").click()
    committee.get_by_label("yes").check()
    committee.get_by_role("button", name="Vote, close and count").click()
    expect(committee.get_by_role("status").first).to_contain_text("accepted")
    committee.get_by_label("Signed PDF file").set_input_files(pdf("both.pdf", b"%\n%%EOF\n"))
    committee.get_by_role("button", name="Upload with both signatures").click()
    expect(committee.locator(".ilaas-lead")).to_contain_text("approved")


def set_up_an_app(page: Page) -> None:
    """Whoever has applied is their institution's IT department now, which shows a second factor."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Your second factor")
    page.get_by_role("link", name="Set up an app").click()
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Authenticator code").fill(one_time_code(secret))
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("link", name="Go on where you were").click()


def test_an_institution_applies_and_is_a_member_after_the_vote(
    visit: Visit, portal: Portal
) -> None:
    admin = make_user("admin", Role.FEDERATION_ADMIN, language=Language.ENGLISH)
    applicant = visit("/join/")
    sign_up(applicant, "ada@nantes.example")
    fill_in_the_candidacy(applicant)

    expect(applicant.get_by_text("waits for the signed agreement")).to_be_visible()
    with applicant.expect_download() as downloading:
        applicant.get_by_role("link", name="Download the agreement to sign").click()
    assert Path(downloading.value.path()).read_bytes().startswith(b"%PDF-")
    applicant.get_by_label("Signed PDF file").set_input_files(pdf("signed.pdf"))
    applicant.get_by_role("button", name="Upload the signed agreement").click()
    expect(applicant.locator(".ilaas-lead")).to_have_text("Signed. The committee decides.")

    decide(visit("/", as_=admin))

    applicant.reload()
    set_up_an_app(applicant)
    expect(applicant.get_by_text("The institution is a member.")).to_be_visible()
    applicant.goto("/keys/new/")
    applicant.get_by_role("button", name="I accept the charter").click()
    expect(applicant.get_by_role("heading", level=1)).to_have_text("Create a key")


def test_the_second_of_two_writers_is_told_and_loses_nothing(visit: Visit, portal: Portal) -> None:
    applicant = make_user("applicant", language=Language.ENGLISH)
    colleague = make_user("governance", language=Language.ENGLISH)
    User.objects.filter(pk=colleague.pk).update(email="governance@nantes.example")
    draft = make_draft(applicant)
    pages = [
        visit(f"/membership/{draft.pk}/institution/", as_=who) for who in (applicant, colleague)
    ]

    for page, name in zip(pages, ("First", "Second"), strict=True):
        page.get_by_label("Short name").fill(name)
        page.get_by_role("button", name="Save and go on").click()

    told = pages[1].get_by_role("alert")
    expect(told).to_contain_text("Somebody else has changed this page")
    expect(told).to_contain_text("Saved meanwhile: “First”.")
    expect(pages[1].get_by_label("Short name")).to_have_value("Second")
    pages[1].get_by_role("button", name="Save and go on").click()
    expect(pages[1].get_by_role("status").first).to_contain_text("Saved.")
    assert Candidacy.objects.get().short_name == "Second"
