"""Credit notes and further invoices: what corrects an invoice names it, once, and says the same as everything else."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from importlib import import_module
from io import BytesIO, StringIO
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.translation import override
from pypdf import PdfReader

from billing.enums import InvoiceKind, LineKind, VatStatus
from billing.invoicing import checks
from billing.ledger import balances
from billing.models import Contest, Invoice, InvoicedNote, Note, Statement, Transfer, UsageRecord
from billing.operations.contests import Remedy, contest_line, reject_contest, uphold_contest
from billing.operations.invoices import issue_invoice, set_issuer, tell_invoicing
from billing.operations.ledger import grant, reverse, reverse_request
from billing.operations.years import post_true_up, set_cost_pool
from billing.records import intake
from billing.statements.statement import NANO_PER_CENT, kept, keys_of, rounded
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from federation.sheets import BYTE_ORDER_MARK
from tests.integration.billing.bills import (
    FACTS,
    ISSUER,
    MARCH,
    NAMES,
    asked_market,
    broken_rules,
    cents,
    close,
    closed_of,
    ready_for_invoices,
    told,
    with_siret,
    xml_inside,
)
from tests.integration.billing.conftest import used
from tests.integration.billing.market import Market, price_from
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, make_application, make_key, make_user
from tests.support.pages import plain_static, signed_in_as

__all__ = ["plain_static"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]
OF_ORLEANS = "/accounts/months/2026-03/orleans/"
YEAR = 2025
BEGUN = datetime(YEAR, 1, 1, tzinfo=UTC)
SHEET = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


@pytest.fixture(autouse=True)
def _reasons_in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def market() -> Market:
    return asked_market()


@pytest.fixture
def ready(market: Market) -> Statement:
    return ready_for_invoices(closed_of(market))


@pytest.fixture
def orleans(market: Market) -> User:
    return make_user("orleans", Role.MEMBER_FINANCE, institution=market.orleans)


@pytest.fixture
def finance() -> User:
    return make_user("fin", Role.FINANCE)


def text_of(user: User, address: str) -> str:
    page = signed_in_as(user).get(address, headers={"accept-language": "en"})
    assert page.status_code == 200, address
    return " ".join(page.content.decode().split())


def paid_by(statement: Statement) -> list[Transfer]:
    """What it paid to each of those who served it, the smallest first."""
    paid = Transfer.objects.filter(reason="usage", debit__institution=statement.institution)
    return list(paid.order_by("amount_nano"))


def taken_back(statement: Statement, transfer: Transfer) -> Note:
    before = set(statement.notes.all())
    reverse(by=OPERATOR, transfer=transfer, reason="we were not there")
    (note,) = set(statement.notes.all()) - before
    return note


def kind_of(xml: bytes) -> str:
    names = {**NAMES, "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"}
    found = ElementTree.fromstring(xml).findtext("rsm:ExchangedDocument/ram:TypeCode", "", names)
    return str(found)


def named_by(xml: bytes) -> list[str]:
    """The invoices that it corrects, each with its day."""
    root = ElementTree.fromstring(xml)
    return [
        " ".join("".join(each.itertext()).split())
        for each in root.iterfind(".//ram:InvoiceReferencedDocument", NAMES)
    ]


def reference(invoice: Invoice) -> str:
    return f"{invoice.number} {invoice.issued_on:%Y%m%d}"


def refusal(source: Statement | Note) -> str:
    count = Invoice.objects.count()
    with pytest.raises(ValidationError) as refused:
        issue_invoice(by=OPERATOR, source=source)
    assert Invoice.objects.count() == count
    return str(refused.value.code)


def owed(institution: Institution) -> int:
    """What the ledger says it owes for what it used, in cents."""
    nano = -balances.balances()[f"consumer:{institution.pk}"]
    assert nano % NANO_PER_CENT == 0
    return nano // NANO_PER_CENT


def test_what_is_corrected_afterwards_is_a_credit_note_that_names_the_invoice(
    ready: Statement,
) -> None:
    invoice = issue_invoice(by=OPERATOR, source=ready)
    note = taken_back(ready, paid_by(ready)[0])

    credit = issue_invoice(by=OPERATOR, source=note)

    assert (credit.kind, credit.statement, credit.institution) == ("381", None, ready.institution)
    assert (invoice.number[-5:], credit.number[-5:]) == ("-0001", "-0002")
    assert credit.due_cents == credit.net_cents == -note.used_cents > 0
    assert invoice.due_cents - credit.due_cents == owed(ready.institution)
    xml = xml_inside(credit)
    assert kind_of(xml) == InvoiceKind.CREDIT_NOTE
    assert named_by(xml) == [reference(invoice)]
    assert cents(told(xml, "DuePayableAmount")[0]) == credit.due_cents
    assert all(note.number in text for text in told(xml, "Description"))
    assert told(xml, "BuyerReference") == ["SC-12"]
    assert told(xml, "IBANID") == []
    assert broken_rules(xml) == []
    assert checks.findings() == []


def test_what_grants_had_paid_goes_back_to_them_and_not_to_the_institution(
    ready: Statement,
) -> None:
    invoice = issue_invoice(by=OPERATOR, source=ready)
    notes = [taken_back(ready, transfer) for transfer in paid_by(ready)]

    given_back = [issue_invoice(by=OPERATOR, source=note) for note in notes]

    assert sum(credit.net_cents for credit in given_back) == invoice.net_cents == ready.used_cents
    assert sum(credit.due_cents for credit in given_back) == invoice.due_cents
    assert owed(ready.institution) == 0
    xml = xml_inside(given_back[-1])
    assert cents(told(xml, "TotalPrepaidAmount")[0]) == ready.granted_cents == 1
    assert broken_rules(xml) == []
    assert checks.findings() == []


def contest_of_rennes() -> Contest:
    statement = Statement.objects.get(institution__slug="rennes")
    lines = kept(statement).lines
    served = next(n for n, line in enumerate(lines) if line.kind is LineKind.SERVED)
    return contest_line(
        by=OPERATOR,
        institution=statement.institution,
        month=MARCH,
        line_key=keys_of(lines)[served],
        reason="too little",
    )


def test_what_is_owed_in_addition_is_an_invoice_of_its_own(ready: Statement) -> None:
    invoice = issue_invoice(by=OPERATOR, source=ready)
    remedy = Remedy(amount_nano=321 * NANO_PER_CENT, other=ready.institution)
    uphold_contest(by=OPERATOR, contest=contest_of_rennes(), answer="forgotten", remedy=remedy)

    more = issue_invoice(by=OPERATOR, source=ready.notes.get())

    assert (more.kind, more.due_cents) == ("380", 321)
    assert invoice.due_cents + more.due_cents == owed(ready.institution)
    xml = xml_inside(more)
    assert kind_of(xml) == InvoiceKind.INVOICE
    assert named_by(xml) == [reference(invoice)]
    assert broken_rules(xml) == []


def test_a_note_from_before_the_invoice_stands_in_it_and_has_none_of_its_own(
    ready: Statement, orleans: User
) -> None:
    note = taken_back(ready, paid_by(ready)[0])
    assert refusal(note) == "not_invoiced"
    assert "that one would contain" in text_of(orleans, f"/accounts/notes/{note.number}/")

    invoice = issue_invoice(by=OPERATOR, source=ready)

    assert issue_invoice(by=OPERATOR, source=note) == invoice
    assert Invoice.objects.count() == 1
    page = text_of(orleans, f"/accounts/notes/{note.number}/")
    assert f"It stands in the statement’s invoice {invoice.number}" in page
    file = signed_in_as(orleans).get(f"/accounts/notes/{note.number}/facturx/")
    assert file.content == bytes(invoice.content)


def test_what_is_corrected_of_what_was_served_is_invoiced_in_nobodys_name(
    ready: Statement, orleans: User
) -> None:
    issue_invoice(by=OPERATOR, source=ready)
    taken_back(ready, paid_by(ready)[0])

    (of_host,) = Note.objects.exclude(institution=ready.institution)

    assert refusal(of_host) == "served"


def test_a_contested_line_is_answered_before_its_statement_is_invoiced(
    ready: Statement, orleans: User, finance: User
) -> None:
    (line_key, *_others) = keys_of(kept(ready).lines)
    contest = contest_line(
        by=OPERATOR,
        institution=ready.institution,
        month=MARCH,
        line_key=line_key,
        reason="too much",
    )

    assert refusal(ready) == "contested"
    page = text_of(finance, OF_ORLEANS)
    assert "it is invoiced once that is answered" in page
    assert 'href="#contests"' in page
    assert 'id="contests"' in page
    assert f"{OF_ORLEANS}invoice/" not in page
    signed_in_as(finance).post(f"{OF_ORLEANS}invoice/")
    assert not Invoice.objects.exists()

    reject_contest(by=OPERATOR, contest=contest, answer="it is right")
    assert f"{OF_ORLEANS}invoice/" in text_of(finance, OF_ORLEANS)
    assert issue_invoice(by=OPERATOR, source=ready).due_cents > 0


def test_a_credit_note_is_taxed_as_its_invoice_was(ready: Statement) -> None:
    set_issuer(by=OPERATOR, facts=ISSUER | {"vat_number": "FR70193509361"})
    taxable = FACTS | {"vat_status": VatStatus.TAXABLE}
    tell_invoicing(by=OPERATOR, institution=ready.institution, facts=taxable)
    issue_invoice(by=OPERATOR, source=ready)
    tell_invoicing(by=OPERATOR, institution=ready.institution, facts=FACTS)

    credit = issue_invoice(by=OPERATOR, source=taken_back(ready, paid_by(ready)[0]))

    assert credit.total_cents == (credit.net_cents * 120 + 50) // 100
    assert broken_rules(xml_inside(credit)) == []
    assert checks.findings() == []


def test_a_credit_note_is_issued_and_read_by_pages(
    ready: Statement, market: Market, orleans: User, finance: User
) -> None:
    issue_invoice(by=OPERATOR, source=ready)
    note = taken_back(ready, paid_by(ready)[0])
    address = f"/accounts/notes/{note.number}/"
    theirs = make_user("theirs", Role.MEMBER_FINANCE, institution=market.reims)
    assert f"{address}#invoice" in text_of(finance, OF_ORLEANS)
    assert "Issue the credit note" in text_of(finance, address)
    assert "Issue the credit note" not in text_of(orleans, address)
    assert "the federation issues it" in text_of(orleans, address)
    assert signed_in_as(orleans).get(f"{address}facturx/").status_code == 404

    assert signed_in_as(orleans).post(f"{address}invoice/").status_code == 403
    assert signed_in_as(theirs).post(f"{address}invoice/").status_code == 404
    assert not InvoicedNote.objects.exists()
    for _again in range(2):
        signed_in_as(finance).post(f"{address}invoice/")

    credit = InvoicedNote.objects.get().invoice
    assert f"Credit note {credit.number}, issued on" in text_of(orleans, address)
    assert credit.number in text_of(orleans, OF_ORLEANS)
    assert f"{address}#invoice" not in text_of(orleans, OF_ORLEANS)
    assert credit.number in text_of(orleans, "/accounts/notes/")
    file = signed_in_as(orleans).get(f"{address}facturx/")
    assert file.content == bytes(credit.content)
    assert file["Content-Disposition"] == f'attachment; filename="{credit.number}_orleans.pdf"'
    assert signed_in_as(theirs).get(f"{address}facturx/").status_code == 404
    paper = paper_of(file.content)
    assert f"Avoir {credit.number}" in paper
    assert "IBAN" not in paper


@pytest.mark.parametrize(
    "change", ["UPDATE billing_invoicednote SET id = note_id", "DELETE FROM billing_invoicednote"]
)
def test_in_which_invoice_a_note_stands_is_never_changed(ready: Statement, change: str) -> None:
    taken_back(ready, paid_by(ready)[0])
    issue_invoice(by=OPERATOR, source=ready)

    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)


def test_a_credit_note_without_an_amount_is_none(ready: Statement) -> None:
    row: dict[str, Any] = {
        **{"kind": "381", "number": "F2026-9", "institution": ready.institution},
        **{"issued_on": MARCH, "content": b"", "sha256": ""},
        **dict.fromkeys(("net_cents", "total_cents", "due_cents"), 5),
    }
    for amounts in ({"due_cents": -1}, {"net_cents": 0}, {"net_cents": 6}, {"statement": ready}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Invoice.objects.create(**row | amounts)
    Invoice.objects.create(**row)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("content = 'x'", "1 invoices have a file that is not the one that was issued"),
        ("total_cents = total_cents + 1", "1 invoices are not what their statements"),
        ("due_cents = due_cents + 1", "1 invoices are not what their statements"),
        ("net_cents = net_cents - 1", "1 invoices are not what their statements"),
        (
            "number = left(number, 6) || '0003'",
            "1 years have a gap in the numbers of their invoices",
        ),
    ],
)
def test_an_invoice_that_is_not_what_was_issued_is_found(
    ready: Statement, change: str, finding: str
) -> None:
    issue_invoice(by=OPERATOR, source=ready)
    credit = issue_invoice(by=OPERATOR, source=taken_back(ready, paid_by(ready)[0]))
    assert checks.findings() == []

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_invoice DISABLE TRIGGER invoices_stay")
        cursor.execute(f"UPDATE billing_invoice SET {change} WHERE number = %s", [credit.number])

    assert len(checks.findings()) == 1
    assert checks.findings()[0].startswith(finding)
    errors = StringIO()
    with pytest.raises(CommandError):
        call_command("check_usage", stderr=errors)
    assert finding in errors.getvalue()


def test_invoices_of_before_know_their_notes_and_amounts(ready: Statement) -> None:
    """As a migration fills it in: what was there when the invoice was issued stands in it, what came later does not."""
    first, second = paid_by(ready)
    inside = taken_back(ready, first)
    invoice = issue_invoice(by=OPERATOR, source=ready)
    taken_back(ready, second)
    migration = import_module("billing.migrations.0020_invoices_of_notes")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, trigger in (
            ("billing_invoicednote", "notes_of_invoices_stay"),
            ("billing_invoice", "invoices_stay"),
        ):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        cursor.execute("DELETE FROM billing_invoicednote")
        cursor.execute("UPDATE billing_invoice SET net_cents = 0")

        cursor.execute(migration.KNOWN)

    known = InvoicedNote.objects.values_list("invoice", "note")
    assert list(known) == [(invoice.pk, inside.pk)]
    assert Invoice.objects.get().net_cents == invoice.net_cents
    assert checks.findings() == []


# Years


def closed_year(granted_nano: int = 0) -> Market:
    """Orléans has used something of Rennes's in February and in May; nobody has used anything else."""
    found = Market()
    for served in found.served:
        price_from(BEGUN - timedelta(days=9), served, prompt_nano=10_000)
    with_siret(found)
    for day in (40, 130):
        at = BEGUN + timedelta(days=day)
        tokens: dict[str, Any] = {"cached_tokens": 0, "completion_tokens": 0}
        tokens["prompt_tokens"] = 1_234_567 + day
        intake.store([found.asked(found.orleans, found.served[0], at, **tokens)])
    if granted_nano:
        grant(by=OPERATOR, institution=found.orleans, amount_nano=granted_nano, reason="hosting")
    for month in (2, 5, 12):
        close(date(YEAR, month, 1))
    set_issuer(by=OPERATOR, facts=ISSUER)
    tell_invoicing(by=OPERATOR, institution=found.orleans, facts=FACTS)
    return found


def of_months(market: Market) -> list[Statement]:
    months = Statement.objects.filter(institution=market.orleans, period__month__year=YEAR)
    return list(months.order_by("period_id"))


def settled(market: Market, by_cents: int) -> Note:
    """The adjustment of Orléans, when the year cost so much more than was billed."""
    billed = sum(statement.used_cents for statement in of_months(market))
    pool = set_cost_pool(
        by=OPERATOR, year=YEAR, amount_cents=billed + by_cents, evidence="accounts"
    )
    post_true_up(by=OPERATOR, pool=pool)
    return Note.objects.get(institution=market.orleans, pool=pool)


@pytest.mark.parametrize("by_cents", [987, -987])
def test_the_adjustment_of_a_year_is_invoiced_or_given_back(by_cents: int) -> None:
    year = closed_year()
    invoices = [issue_invoice(by=OPERATOR, source=statement) for statement in of_months(year)]
    note = settled(year, by_cents)

    issued = issue_invoice(by=OPERATOR, source=note)

    assert issued.kind == ("380" if by_cents > 0 else "381")
    assert issued.due_cents == abs(by_cents)
    xml = xml_inside(issued)
    assert kind_of(xml) == issued.kind
    assert named_by(xml) == [reference(each) for each in invoices]
    assert broken_rules(xml) == []
    assert checks.findings() == []
    sign = 1 if by_cents > 0 else -1
    assert sum(each.due_cents for each in invoices) + sign * issued.due_cents == owed(year.orleans)


def test_the_invoices_of_the_months_come_before_that_of_the_year(finance: User) -> None:
    year = closed_year()
    february, may = of_months(year)
    issue_invoice(by=OPERATOR, source=february)
    note = settled(year, 987)

    assert refusal(note) == "months"
    page = text_of(finance, f"/accounts/notes/{note.number}/")
    assert "/accounts/months/2025-05/orleans/#invoice" in page
    assert "/accounts/months/2025-02/orleans/#invoice" not in page
    issue_invoice(by=OPERATOR, source=may)
    assert issue_invoice(by=OPERATOR, source=note).due_cents == 987


def test_who_had_no_invoice_in_the_year_gets_no_credit_note() -> None:
    """Grants paid all of it, and get back what was too much."""
    market = closed_year(granted_nano=10**12)
    note = settled(market, -987)

    assert note.granted_cents == note.used_cents == -987
    assert refusal(note) == "no_invoice"


@pytest.mark.parametrize("paid_cents", [100, 987])
def test_what_grants_pay_of_an_adjustment_is_not_asked_for(paid_cents: int) -> None:
    market = closed_year()
    for statement in of_months(market):
        issue_invoice(by=OPERATOR, source=statement)
    nano = paid_cents * NANO_PER_CENT
    grant(by=OPERATOR, institution=market.orleans, amount_nano=nano, reason="code")
    note = settled(market, 987)

    if paid_cents == 987:
        assert refusal(note) == "nothing_due"
    else:
        assert issue_invoice(by=OPERATOR, source=note).due_cents == 987 - paid_cents
        assert checks.findings() == []


# Several at once


@pytest.mark.django_db(transaction=True)
def test_two_at_once_issue_one_credit_note(transactional_db: None) -> None:
    ready = ready_for_invoices(closed_of(asked_market()))
    issue_invoice(by=OPERATOR, source=ready)
    notes = [taken_back(ready, transfer) for transfer in paid_by(ready)]

    at_once([partial(issue_invoice, by=OPERATOR, source=note) for note in (*notes, *notes)])

    numbers = sorted(each.number[-4:] for each in Invoice.objects.all())
    assert numbers == ["0001", "0002", "0003"]
    assert checks.findings() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_corrected_while_the_invoice_is_issued_stands_in_it_or_comes_after(
    transactional_db: None,
) -> None:
    ready = ready_for_invoices(closed_of(asked_market()))
    wrong, _right = paid_by(ready)

    at_once([
        lambda: issue_invoice(by=OPERATOR, source=ready),
        lambda: reverse(by=OPERATOR, transfer=wrong, reason="we were not there"),
    ])  # fmt: skip

    # Whoever was first: what is asked for and given back is what is owed.
    issue_invoice(by=OPERATOR, source=ready.notes.get())
    signs = {"380": 1, "381": -1}
    asked = sum(signs[each.kind] * each.due_cents for each in Invoice.objects.all())
    assert asked == owed(ready.institution)
    assert InvoicedNote.objects.count() == 1
    assert checks.findings() == balances.findings() == []


# The same everywhere


def paper_of(content: bytes) -> str:
    """The words of a PDF, with plain spaces."""
    pages = (page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    return " ".join(" ".join(pages).replace("\u202f", " ").split())


def amounts_of_files(user: User, address: str) -> set[int]:
    """What a statement or a note says is received or paid, in cents, in each of its files and on its page."""
    browser = signed_in_as(user)
    english = {"accept-language": "en"}
    as_csv = browser.get(f"{address}csv/", headers=english).content.decode()
    rows = csv.DictReader(StringIO(as_csv.removeprefix(BYTE_ORDER_MARK)))
    found = {int(sum(Decimal(row["amount_eur"]) for row in rows) * 100)}
    with ZipFile(BytesIO(browser.get(f"{address}xlsx/").content)) as archive:
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    amounts = [c for c in root.iterfind(".//m:c", SHEET) if c.attrib["r"].startswith("I")]
    found.add(round(sum(float(c.findtext("m:v", "0", SHEET)) for c in amounts[1:]) * 100))
    (net,) = found
    shown = f"{abs(net) / 100:,.2f}"
    told = paper_of(browser.get(f"{address}pdf/", headers=english).content)
    assert f"{'To pay' if net < 0 else 'To receive'}: {shown} €" in told
    assert shown in text_of(user, address)
    return found


def test_a_statement_and_its_credit_note_are_the_same_everywhere() -> None:
    """I14 with what comes after the invoice: page, PDF, CSV, workbook, interface, ledger and Factur-X."""
    market = Market()
    with_siret(market)
    user = make_user("orleans", Role.MEMBER_FINANCE, institution=market.orleans)
    key, secret = make_key(make_application(market.orleans))
    at = datetime(2026, 3, 12, tzinfo=UTC)
    tokens = {"cached_tokens": 0, "completion_tokens": 0}
    intake.store([
        used(key, served, at=at + timedelta(hours=n), prompt_tokens=12_345_678 * (n + 1), **tokens)
        for n, served in enumerate(market.served)
    ])  # fmt: skip
    close(MARCH)
    statement = ready_for_invoices(Statement.objects.get(institution=market.orleans))
    invoice = issue_invoice(by=OPERATOR, source=statement)

    interface = Client().get(
        "/manage/api/usage?first=2026-03-01&last=2026-03-31",
        headers={"authorization": f"Bearer {secret}"},
    )
    costs = [Decimal(each["used"]["cost_eur"]) for each in interface.json()["models"]]
    by_model = [rounded(int(cost * 10**9)) for cost in costs]
    assert sum(by_model) == statement.used_cents == invoice.due_cents == owed(market.orleans)
    assert amounts_of_files(user, OF_ORLEANS) == {-invoice.due_cents}
    assert cents(told(xml_inside(invoice), "DuePayableAmount")[0]) == invoice.due_cents

    record = UsageRecord.objects.first()
    assert record is not None
    reverse_request(by=OPERATOR, request=record, reason="nonsense")
    note = statement.notes.get()
    credit = issue_invoice(by=OPERATOR, source=note)

    assert credit.due_cents == -note.used_cents == rounded(record.cost_nano)
    assert credit.due_cents in by_model
    assert amounts_of_files(user, f"/accounts/notes/{note.number}/") == {credit.due_cents}
    assert cents(told(xml_inside(credit), "DuePayableAmount")[0]) == credit.due_cents
    assert f"{credit.due_cents / 100:.2f}".replace(".", ",") in paper_of(bytes(credit.content))
    assert invoice.due_cents - credit.due_cents == owed(market.orleans)
    assert checks.findings() == balances.findings() == []


@pytest.mark.parametrize("by_cents", [987, -987])
def test_the_adjustment_of_a_year_is_the_same_everywhere(by_cents: int) -> None:
    year = closed_year()
    orleans = make_user("orleans", Role.MEMBER_FINANCE, institution=year.orleans)
    for statement in of_months(year):
        issue_invoice(by=OPERATOR, source=statement)
    before = owed(year.orleans)
    note = settled(year, by_cents)
    issued = issue_invoice(by=OPERATOR, source=note)

    assert amounts_of_files(orleans, f"/accounts/notes/{note.number}/") == {-by_cents}
    assert issued.due_cents == abs(by_cents)
    assert cents(told(xml_inside(issued), "DuePayableAmount")[0]) == abs(by_cents)
    assert "9,87" in paper_of(bytes(issued.content))
    assert owed(year.orleans) - before == by_cents
    assert "9.87" in text_of(orleans, f"/accounts/years/{YEAR}/")
    as_csv = signed_in_as(orleans).get(
        f"/accounts/years/{YEAR}/csv/", headers={"accept-language": "en"}
    )
    text = as_csv.content.decode().removeprefix(BYTE_ORDER_MARK)
    (row,) = csv.DictReader(StringIO(text))
    assert Decimal(row["to_pay_in_addition_eur"]) * 100 == by_cents
