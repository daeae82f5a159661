"""From an empty federation to a streamed answer, in real browsers: every person's steps, and the count of their clicks.

A click is a press on a button, a link or a box, a file that is chosen, a page that is loaded anew by hand. Typing is
none, an address that somebody knows included; so is reading e-mail, of which only the link that is followed counts.
Texts are looked up by their English originals in the catalogue of the journey's language.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.utils.translation import gettext, override
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect, sync_playwright

from config.launch.browser import find_browser
from tests.support.candidates import PDF
from tests.support.factories import PASSWORD
from tests.support.processes import wait_for
from tests.support.product import Product

PATIENCE_MS = 30_000
REPORT_MS = 120_000
INSTITUTION, SHORT_NAME, SIRET = "Nantes Université", "Nantes", "130 029 747 00016"
ADMIN, DSI, USER = "camille@ilaas.example", "ada@nantes.example", "lou@nantes.example"
FEWER_CLICKS_THAN = 40
CODE = re.compile(r"^[A-Z0-9]{3,}(?:-[A-Z0-9]+)?$", re.M)
PERIOD = 30  # seconds of a one-time code


@dataclass(frozen=True)
class Lent:
    """What the IT department knows of its server. `model` is the public name that it proposes."""

    name: str
    url: str
    key: str
    model: str
    served_name: str
    window: int


@dataclass
class Tally:
    """Every click of the journey, in order, as `who: what`."""

    clicks: list[str] = field(default_factory=list)


class Person:
    """One person before a browser of their own, whose clicks are counted."""

    def __init__(self, browser: Browser, address: str, who: str, language: str, tally: Tally):
        self.context = browser.new_context(base_url=address, locale=language)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.who, self.language, self._tally = who, language, tally

    def say(self, text: str) -> str:
        """Return a text of the pages in the person's language."""
        with override(self.language):
            return gettext(text)

    def main(self) -> Locator:
        return self.page.get_by_role("main")

    def press(self, text: str) -> None:
        self._click(self.main().get_by_role("button", name=self.say(text), exact=True), text)

    def follow(self, text: str) -> None:
        self._click(self.main().get_by_role("link", name=self.say(text), exact=True).first, text)

    def follow_beside(self, text: str) -> None:
        """Follow a link into another tab, and go on there."""
        link = self.main().get_by_role("link", name=self.say(text), exact=True).first
        with self.context.expect_page() as opened:
            self._count(text)
            link.click(modifiers=["ControlOrMeta"])
        self.page = opened.value

    def tick(self, text: str) -> None:
        self._count(text)
        self.main().get_by_label(self.say(text), exact=True).check()

    def choose_file(self, text: str, file: FilePayload) -> None:
        self._count(text)
        self.main().get_by_label(self.say(text), exact=True).set_input_files(file)

    def download(self, text: str) -> bytes:
        with self.page.expect_download() as downloading:
            self.follow(text)
        return downloading.value.path().read_bytes()

    def type(self, **texts: object) -> None:
        """Fill in fields by their names."""
        for name, text in texts.items():
            self.page.locator(f"[name={name}]").fill(str(text))

    def letter_to(self, address: str, subject: str) -> Locator:
        """Look into the letter box, whose address is known, until there is a letter to `address` about something."""
        letters = self.page.locator("article").filter(has_text=address).filter(has_text=subject)
        wait_for(
            lambda: self.page.goto("/demo/mail/") and letters.count(),
            f"a letter to {address}: {subject}",
            PATIENCE_MS / 1000,
        )
        return letters.first

    def follow_letter(self, address: str, subject: str) -> None:
        self._click(self.letter_to(address, subject).get_by_role("link"), f"letter: {subject}")

    def _click(self, what: Locator, text: str) -> None:
        self._count(text)
        what.click()

    def _count(self, text: str) -> None:
        self._tally.clicks.append(f"{self.who}: {text}")


def protect(person: Person) -> None:
    """Set an app of one-time codes, to which the product has led."""
    page = person.page
    person.follow("Set up an app")
    secret = page.locator("#authenticator_secret").input_value()
    code = format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD))
    person.type(code=code)
    person.press("Activate")
    expect(page.locator("#authenticator_secret")).to_have_count(0)


def claim(admin: Person, link: str, email: str) -> None:
    """Open the first administrator's account by the link that the start has printed."""
    admin.page.goto(link)
    admin.type(name="Camille Pasteur", email=email, password=PASSWORD, again=PASSWORD)
    admin.press("Open the account")
    admin.page.wait_for_url(lambda url: "first-admin" not in url)
    protect(admin)


def apply(applicant: Person, email: str) -> None:
    """Open an account with an address that is proved, fill the candidacy in, hand it in, sign."""
    applicant.page.goto("/")
    applicant.follow("Apply")
    applicant.type(name="Ada Le Goff", email=email, password1=PASSWORD, password2=PASSWORD)
    applicant.press("Open the account")
    expect(applicant.page.locator("[name=code]")).to_be_visible()
    confirm, applicant.page = applicant.page, applicant.context.new_page()
    code = CODE.search(applicant.letter_to(email, "").locator(".ilaas-letter").inner_text())
    assert code
    applicant.page.close()
    applicant.page = confirm
    applicant.type(code=code[0])
    applicant.press("Confirm")
    _fill_in(applicant, email)
    assert applicant.download("Download the agreement to sign").startswith(b"%PDF-")
    applicant.choose_file("Signed PDF file", _signed("signed.pdf"))
    applicant.press("Upload the signed agreement")
    expect(applicant.page.locator(".ilaas-lead")).to_have_text(
        applicant.say("Signed. The committee decides.")
    )


def _fill_in(applicant: Person, email: str) -> None:
    applicant.type(name=INSTITUTION, short_name=SHORT_NAME, siret=SIRET)
    applicant.press("Save and go on")
    applicant.tick("Consumer")
    applicant.tick("a compute node: inference servers lent to the federation")
    applicant.press("Save and go on")
    for role in ("governance", "technical", "finance", "dpo"):
        contact = {f"{role}_name": "Ada Le Goff", f"{role}_email": email}
        applicant.type(**contact, **{f"{role}_function": "DSI"})
    applicant.press("Save and hand in")


def _signed(name: str, more: bytes = b"") -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": PDF + more}


def admit(admin: Person, email: str) -> None:
    """Vote, count, countersign."""
    admin.follow_letter(email, SHORT_NAME)
    admin.press("Open the ballot")
    admin.tick("yes")
    admin.press("Vote, close and count")
    admin.choose_file("Signed PDF file", _signed("both.pdf", b"%\n%%EOF\n"))
    admin.press("Upload with both signatures")
    expect(admin.page.locator(".ilaas-lead")).to_contain_text(admin.say("approved"))


def lend(dsi: Person, lent: Lent) -> None:
    """Declare a server. What is found of it is on the page that follows, line by line."""
    dsi.follow_beside("Lend a server")
    dsi.type(server_name=lent.name, base_url=lent.url, key=lent.key, proposed_model=lent.model)
    dsi.type(served_name=lent.served_name, context_length=lent.window, site_name="Lombarderie")
    dsi.press("Hand in and check")
    checks = dsi.page.locator("[data-run]").first
    expect(checks).to_have_attribute("data-run", re.compile("running|failed|passed"))


def put_into_service(admin: Person, dsi: Person, email: str, lent: Lent) -> None:
    """Allow the address, as it is this machine's; see the report turn green; decide."""
    admin.follow_letter(email, lent.name)
    admin.follow("Allow its private address")
    admin.type(reason="rehearsal on one machine")
    admin.press("Allow")
    for person in (admin, dsi):
        runs = person.page.locator("[data-run=passed]")
        expect(runs).to_have_count(2, timeout=REPORT_MS)
        expect(person.page.locator("[data-verdict=failed]")).to_have_count(0)
    admin.type(reason="Comité du 30 novembre")
    admin.press("Put into service and offer the model")
    expect(admin.page.locator("[data-state=live]")).to_be_visible()


def invite(dsi: Person, candidacy: Page, email: str) -> None:
    dsi.page = candidacy
    dsi.follow("Invite")
    dsi.type(email=email)
    dsi.press("Send the invitation")
    expect(dsi.page.get_by_role("status").first).to_contain_text(email)


def make_key(user: Person, email: str) -> None:
    """Open an account by the invitation, accept the charter, make a key."""
    user.follow_letter(email, INSTITUTION)
    user.type(name="Lou Kerdoncuff", password=PASSWORD, again=PASSWORD)
    user.press("Open the account and accept")
    user.follow("Create a key")
    user.press("I accept the charter")
    user.type(new_application="Carnet", name="portable")
    user.press("Create the key")


def ask(user: Person, lent: Lent) -> str:
    """Ask from the page that shows the key; return the words that came."""
    words = user.page.locator("[data-words]")
    with user.page.expect_response("**/v1/chat/completions") as answering:
        user.press("Ask")
    answer = answering.value
    assert answer.ok, answer.text()
    assert answer.headers["content-type"].startswith("text/event-stream")
    expect(words).not_to_be_empty()
    expect(user.page.locator("[data-status]")).to_contain_text("Lombarderie")
    expect(user.page.locator("[data-first-call]")).to_contain_text(lent.name)
    return words.inner_text()


def walk(product: Product, browser: Browser, lent: Lent, language: str) -> tuple[Tally, str]:
    """Go the whole way on an empty federation; return the clicks that it took, and the answer at its end."""
    tally = Tally()
    admin, dsi, user = (
        Person(browser, product.address, who, language, tally) for who in ("admin", "dsi", "user")
    )
    link = re.search(r"http\S+/first-admin/\S+", product.output.read_text())
    assert link
    claim(admin, link[0], ADMIN)
    apply(dsi, DSI)
    admit(admin, ADMIN)
    dsi.follow_letter(DSI, INSTITUTION)
    protect(dsi)
    dsi.follow("Go on where you were")
    candidacy = dsi.page
    lend(dsi, lent)
    put_into_service(admin, dsi, ADMIN, lent)
    invite(dsi, candidacy, USER)
    make_key(user, USER)
    return tally, ask(user, lent)


def answered_by(product: Product) -> list[tuple[str, str, bool]]:
    """Return, of every request that was accounted, the server, how it ended and whether it was streamed."""
    rows: list[tuple[str, str, bool]] = product.rows(
        "select server.name, used.status, used.stream"
        " from billing_usagerecord used join fleet_inferenceserver server on server.id = used.server_id"
    )
    return rows


@contextmanager
def chromium() -> Iterator[Browser]:
    path = find_browser(os.environ)
    if path is None:
        pytest.fail("no browser: name a Chromium with BROWSER_PATH", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
