"""Invoices: valid by Europe's rules and France's, the same to the cent as everything else, and never changed."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import facturx
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from pypdf import PdfReader

from billing.enums import InvoiceKind, VatStatus
from billing.invoicing.bill import (
    BankAccount,
    Bill,
    Item,
    Mention,
    Orders,
    Party,
    Preceding,
)
from billing.invoicing.cii import xml_of
from billing.invoicing.facts import facts_of, missing
from billing.invoicing.paper import facturx_of
from billing.ledger.balances import balances
from billing.models import Invoice, Issuer, Note, Statement, Transfer
from billing.operations import invoices
from billing.operations.invoices import issue_invoice, set_issuer, tell_invoicing
from billing.operations.ledger import grant, reverse
from billing.operations.months import close_month, draft_month
from federation.journal.models import AuditEvent
from federation.journal.operations import record
from federation.people.enums import Role
from federation.people.models import User
from tests.integration.billing.bills import (
    FACTS,
    IBAN,
    ISSUER,
    MARCH,
    OTHER_SIRET,
    SIRET,
    asked_market,
    cents,
    close,
    closed_of,
    ready_for_invoices,
    told,
)
from tests.integration.billing.market import Market
from tests.support.factories import OPERATOR, make_user
from tests.support.pages import plain_static, signed_in_as
from tests.support.schematron import EUROPE, FRANCE, judge

__all__ = ["plain_static"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]
OF_ORLEANS = "/accounts/months/2026-03/orleans/"
PLAIN = Bill(
    kind=InvoiceKind.INVOICE,
    number="F2026-0007",
    issued_on=date(2026, 4, 3),
    due_on=date(2026, 5, 3),
    first_day=MARCH,
    last_day=date(2026, 3, 31),
    seller=Party("Université de Rennes", SIRET, "", "2 rue du Thabor", "35065", "Rennes", ""),
    buyer=Party("Orléans & <Tours>", OTHER_SIRET, "", "Rue", "45100", "Orléans", ""),
    orders=Orders("SC-12", "4500012345", "M-1"),
    account=BankAccount(IBAN, "TRPUFRP1"),
    vat=VatStatus.EXEMPT,
    items=(
        Item("llama, jetons lus", "servi par Reims", 1_234_567, 151, 19),
        Item("llama, jetons écrits", "servi par Reims", 87_654_321, 1_001, 8_774),
        Item("correction", "", 0, 0, -123),
    ),
    mentions=(Mention("PMT", "40 €"), Mention("PMD", "taux"), Mention("AAB", "sans escompte")),
    granted_cents=70,
)
BILLS = {
    "exempt": PLAIN,
    "not taxable": replace(
        PLAIN, vat=VatStatus.OUTSIDE, granted_cents=0, orders=Orders("", "", "")
    ),
    "taxable": replace(
        PLAIN, vat=VatStatus.TAXABLE, seller=replace(PLAIN.seller, vat_number="FR70193509361")
    ),
    "taxable credit note": replace(
        PLAIN,
        kind=InvoiceKind.CREDIT_NOTE,
        vat=VatStatus.TAXABLE,
        seller=replace(PLAIN.seller, vat_number="FR70193509361"),
        corrects=[Preceding("F2026-0003", date(2026, 3, 2))],
    ),
    "credit note": replace(
        PLAIN,
        kind=InvoiceKind.CREDIT_NOTE,
        items=PLAIN.items[:1],
        granted_cents=19,
        corrects=[Preceding(f"F2026-000{n}", date(2026, 3, n)) for n in (2, 3, 4)],
    ),
}


@pytest.mark.parametrize("name", BILLS)
def test_an_invoice_keeps_the_rules_of_europe_and_of_france(name: str) -> None:
    xml = xml_of(BILLS[name])  # which the schema has looked at

    for rules in (EUROPE, FRANCE):
        judgement = judge(xml, rules)
        assert judgement.rules > 40
        assert judgement.broken == []


def test_the_rules_find_a_sum_that_is_none() -> None:
    xml = xml_of(PLAIN).replace(b">86.00<", b">87.00<")

    assert judge(xml, EUROPE).broken


def test_the_file_is_made_to_be_kept_and_holds_its_xml_unchanged() -> None:
    file = facturx_of(PLAIN)

    assert facturx.get_xml_from_pdf(file)[1] == xml_of(PLAIN)
    pages = PdfReader(BytesIO(file))
    root: Any = pages.trailer["/Root"]
    assert {"/AF", "/Metadata", "/OutputIntents", "/Lang"} <= root.keys()
    assert b"<pdfaid:part>3</pdfaid:part>" in root["/Metadata"].get_data()
    assert root["/OutputIntents"][0]["/DestOutputProfile"].get_data()[36:40] == b"acsp"
    assert pages.trailer["/ID"]
    assert not pages.is_encrypted
    assert all(fonts_are_inside(page) for page in pages.pages)
    text = pages.pages[0].extract_text()
    assert "86,00" in text
    assert "Orléans & <Tours>" in text


def fonts_are_inside(page: Any) -> bool:
    fonts = page["/Resources"]["/Font"].values()
    return all("/FontFile2" in font.get_object()["/FontDescriptor"] for font in fonts)


@pytest.fixture
def market() -> Market:
    return asked_market()


@pytest.fixture
def closed(market: Market) -> Statement:
    return closed_of(market)


@pytest.fixture
def ready(closed: Statement) -> Statement:
    return ready_for_invoices(closed)


def test_an_invoice_says_what_the_statement_and_the_ledger_say(ready: Statement) -> None:
    """I14, with Factur-X beside the others."""
    invoice = issue_invoice(by=OPERATOR, source=ready)
    _name, xml = facturx.get_xml_from_pdf(bytes(invoice.content))

    lines = ready.lines.filter(kind="used")
    assert [cents(each) for each in told(xml, "LineTotalAmount")[:-1]] == [
        line.cents for line in lines
    ]
    assert cents(told(xml, "LineTotalAmount")[-1]) == ready.used_cents
    assert "audio" in lines.values_list("unit", flat=True)
    units = zip(
        *(told(xml, name) for name in ("BilledQuantity", "ChargeAmount", "BasisQuantity")),
        strict=True,
    )
    for line, (quantity, price, per) in zip(lines, units, strict=True):
        assert abs(Decimal(quantity) * Decimal(price) / Decimal(per) * 100 - line.cents) <= 1
    assert cents(told(xml, "TotalPrepaidAmount")[0]) == ready.granted_cents > 0
    due = ready.used_cents - ready.granted_cents
    assert cents(told(xml, "DuePayableAmount")[0]) == invoice.due_cents == due
    # The ledger has the rounding in its own account, so that it owes whole cents.
    assert balances()[f"consumer:{ready.institution_id}"] == -due * 10**7
    for rules in (EUROPE, FRANCE):
        assert judge(xml, rules).broken == []
    assert told(xml, "BuyerReference") == ["SC-12"]


def test_what_was_taken_back_before_is_not_asked_for(ready: Statement) -> None:
    of_orleans = Transfer.objects.filter(reason="usage", debit__institution=ready.institution)
    paid, *_others = of_orleans.order_by("amount_nano")
    reverse(by=OPERATOR, transfer=paid, reason="we were not there")
    note = ready.notes.get()

    invoice = issue_invoice(by=OPERATOR, source=ready)

    due = ready.used_cents + note.used_cents - ready.granted_cents - note.granted_cents
    assert invoice.due_cents == due < ready.used_cents - ready.granted_cents
    _name, xml = facturx.get_xml_from_pdf(bytes(invoice.content))
    assert any(note.number in text for text in told(xml, "Description"))
    for rules in (EUROPE, FRANCE):
        assert judge(xml, rules).broken == []


def test_nothing_is_invoiced_of_what_was_taken_back_whole(ready: Statement) -> None:
    for transfer in Transfer.objects.filter(reason="usage", debit__institution=ready.institution):
        reverse(by=OPERATOR, transfer=transfer, reason="we were not there")

    with pytest.raises(ValidationError) as refusal:
        issue_invoice(by=OPERATOR, source=ready)

    assert refusal.value.code == "nothing_due"


def test_an_invoice_is_issued_once_and_its_number_follows(ready: Statement, market: Market) -> None:
    first = issue_invoice(by=OPERATOR, source=ready)
    facts = FACTS | {"city": "Reims"}
    tell_invoicing(by=OPERATOR, institution=market.reims, facts=facts, siret=SIRET)
    at_reims = Statement.objects.get(institution=market.reims)
    second = issue_invoice(by=OPERATOR, source=at_reims)

    set_issuer(by=OPERATOR, facts=ISSUER | {"name": "Somebody else"})
    assert issue_invoice(by=OPERATOR, source=ready) == first
    assert first.number.endswith("-0001")
    assert second.number.endswith("-0002")
    for statement in ("UPDATE billing_invoice SET number = 'x'", "DELETE FROM billing_invoice"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize("field", ["street", "postcode", "city", "vat_status"])
def test_without_a_fact_there_is_no_invoice(ready: Statement, field: str) -> None:
    empty = VatStatus.UNKNOWN if field == "vat_status" else ""
    type(ready.institution.invoicing).objects.update(**{field: empty})
    status = facts_of(ready.institution).vat_status

    assert len(missing(ready.institution, VatStatus(status)).of_institution) == 1
    with pytest.raises(ValidationError) as refused:
        issue_invoice(by=OPERATOR, source=ready)
    assert refused.value.code == "missing"
    assert not Invoice.objects.exists()


def test_who_is_taxable_is_billed_with_the_tax(ready: Statement) -> None:
    taxable = FACTS | {"vat_status": VatStatus.TAXABLE}
    tell_invoicing(by=OPERATOR, institution=ready.institution, facts=taxable)
    assert missing(ready.institution, VatStatus.TAXABLE).of_issuer == ["Numéro de TVA"]

    set_issuer(by=OPERATOR, facts=ISSUER | {"vat_number": "FR70193509361"})
    invoice = issue_invoice(by=OPERATOR, source=ready)

    assert invoice.total_cents == (ready.used_cents * 120 + 50) // 100
    _name, xml = facturx.get_xml_from_pdf(bytes(invoice.content))
    assert judge(xml, EUROPE).broken == []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("iban", IBAN.replace("26", "62")),
        ("bic", "TRPU"),
        ("siret", SIRET.replace("13", "31")),
        ("vat_number", "FR71193509361"),
        ("e_address", "482646015"),
        ("days", "90"),
        ("postcode", "3506"),
    ],
)
def test_a_number_that_cannot_be_is_refused_beside_its_field(
    market: Market, field: str, text: str
) -> None:
    finance = signed_in_as(make_user("fin", Role.FINANCE))

    page = finance.post("/accounts/issuer/", ISSUER | {field: text})

    assert page.context["form"].errors.keys() == {field}
    assert not Issuer.objects.exists()


@pytest.mark.parametrize("siret", ["ABCDEFGHIJKLMN", "123"])
def test_what_follows_from_a_siret_is_not_held_against_one_that_cannot_be(
    market: Market, siret: str
) -> None:
    finance = signed_in_as(make_user("fin", Role.FINANCE))
    told = ISSUER | {"siret": siret, "vat_number": "FR71193509361", "e_address": "482646015"}

    errors = finance.post("/accounts/issuer/", told).context["form"].errors

    assert errors.keys() == {"siret", "vat_number", "e_address"}
    assert errors["vat_number"] == errors["e_address"]


def test_the_way_to_an_invoice_leads_over_pages(market: Market, closed: Statement) -> None:
    """A member's finance and the federation's each fill in their part, and no other."""
    ours = make_user("ours", Role.MEMBER_FINANCE, institution=market.orleans)
    theirs = make_user("theirs", Role.MEMBER_FINANCE, institution=market.reims)
    member, finance = signed_in_as(ours), signed_in_as(make_user("fin", Role.FINANCE))
    page = member.get(OF_ORLEANS).content.decode()
    assert "/accounts/invoicing/orleans/" in page
    assert "/accounts/issuer/" not in page
    assert member.get(f"{OF_ORLEANS}facturx/").status_code == 404

    assert signed_in_as(theirs).post("/accounts/invoicing/orleans/", FACTS).status_code == 404
    assert member.post("/accounts/issuer/", ISSUER).status_code == 403
    assert member.post("/accounts/invoicing/orleans/", FACTS).status_code == 302
    spaced = ISSUER | {"iban": "FR14 2004 1010 0505 0001 3M02 606"}
    assert finance.post("/accounts/issuer/", spaced).status_code == 302
    assert f"{OF_ORLEANS}invoice/" in finance.get(OF_ORLEANS).content.decode()
    assert f"{OF_ORLEANS}invoice/" not in member.get(OF_ORLEANS).content.decode()
    assert member.post(f"{OF_ORLEANS}invoice/").status_code == 403
    finance.post(f"{OF_ORLEANS}invoice/")

    invoice = Invoice.objects.get()
    assert member.get(f"{OF_ORLEANS}facturx/").content == bytes(invoice.content)
    assert signed_in_as(theirs).get(f"{OF_ORLEANS}facturx/").status_code == 404
    told_of = AuditEvent.objects.filter(verb__in=("billing.set_issuer", "billing.tell_invoicing"))
    assert IBAN not in str(list(told_of.values_list("diff")))


def test_nothing_is_invoiced_of_a_month_that_grants_have_paid(market: Market) -> None:
    grant(by=OPERATOR, institution=market.orleans, amount_nano=10**12, reason="hosting")
    draft_month(by=OPERATOR, month=MARCH)
    close_month(by=OPERATOR, month=MARCH)
    paid = Statement.objects.get(institution=market.orleans)

    with pytest.raises(ValidationError) as refused:
        issue_invoice(by=OPERATOR, source=paid)
    assert refused.value.code == "nothing_due"


def test_one_without_a_role_reads_no_facts(closed: Statement) -> None:
    user: User = make_user("nobody")

    assert signed_in_as(user).get("/accounts/invoicing/orleans/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_credit_note_does_not_wait_for_who_says_what_invoices_need(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who issues two has the journal from the first on, and names in the second whom the other holds."""
    market = asked_market()
    close(MARCH)
    paid = Transfer.objects.filter(reason="usage", credit__institution=market.rennes).first()
    assert paid is not None

    def correct() -> None:
        try:
            reverse(by=OPERATOR, transfer=paid, reason="a slip")
        finally:
            connection.close()

    with ThreadPoolExecutor() as threads:

        def correct_meanwhile(**said: Any) -> None:
            wait([begun := threads.submit(correct)], timeout=2)
            record(**said)
            correcting.append(begun)

        correcting: list[Future[None]] = []
        monkeypatch.setattr(invoices, "record", correct_meanwhile)
        tell_invoicing(by=OPERATOR, institution=market.rennes, facts=FACTS, siret=SIRET)
        correcting[0].result(20)

    assert Note.objects.count() == 2
