"""Statements answered, credit notes, years and the balance sheet, by pages and files as people use them."""

import csv
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from django.utils import timezone
from django.utils.html import escape

from billing.enums import ContestState
from billing.models import (
    Acceptance,
    AccountingPeriod,
    Contest,
    CostPool,
    Note,
    UsageRecord,
    YearShare,
)
from billing.operations.ledger import reverse_request
from billing.operations.months import close_month, draft_month
from billing.records import intake
from billing.statements.balance import sheet
from billing.statements.statement import draft_of, keys_of
from dashboards.decisions import waiting_for
from federation.people.enums import Role
from federation.people.models import User
from federation.sheets import BYTE_ORDER_MARK
from tests.integration.billing.market import Market
from tests.support.factories import OPERATOR, make_user
from tests.support.pages import plain_static, signed_in_as

__all__ = ["plain_static"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]
MARCH = date(2026, 3, 1)
OF_ORLEANS = "/accounts/months/2026-03/orleans/"


@pytest.fixture
def market() -> Market:
    found = Market()
    intake.store([found.request(n) for n in range(80)])
    draft_month(by=OPERATOR, month=MARCH)
    return found


@pytest.fixture
def orleans(market: Market) -> User:
    return make_user("orleans", Role.MEMBER_FINANCE, institution=market.orleans)


@pytest.fixture
def finance(market: Market) -> User:
    return make_user("fin", Role.FINANCE)


def text_of(user: User, address: str) -> str:
    page = signed_in_as(user).get(address, headers={"accept-language": "en"})
    assert page.status_code == 200, address
    return " ".join(page.content.decode().split())


def told(user: User, address: str) -> list[dict[str, str]]:
    """The rows of a CSV."""
    answer = signed_in_as(user).get(address, headers={"accept-language": "en"})
    assert answer.status_code == 200, address
    text = answer.content.decode().removeprefix(BYTE_ORDER_MARK)
    separator = ";" if ";" in text.splitlines()[0] else ","
    return list(csv.DictReader(StringIO(text), delimiter=separator))


def numbers_of(user: User, address: str) -> list[list[float]]:
    """The numbers of a workbook, row by row without its head."""
    names = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    content = signed_in_as(user).get(address).content
    with ZipFile(BytesIO(content)) as archive:
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    return [
        [
            float(cell.findtext("m:v", namespaces=names) or 0)
            for cell in row.iterfind("m:c", names)
            if cell.attrib.get("t") != "s"
        ]
        for row in root.iterfind(".//m:row", names)
    ][1:]


def test_a_line_is_contested_and_answered_by_pages(
    market: Market, orleans: User, finance: User
) -> None:
    intake.store([market.asked(market.orleans, market.served[0], prompt_tokens=1_000_000)])
    lines = draft_of(market.orleans, MARCH).lines
    dearest = max(lines, key=lambda line: line.exact_nano)
    key = keys_of(lines)[lines.index(dearest)]
    assert f"{OF_ORLEANS}contest/{key}/" in text_of(orleans, OF_ORLEANS)
    assert f"{OF_ORLEANS}contest/{key}/" not in text_of(finance, OF_ORLEANS)

    signed_in_as(orleans).post(f"{OF_ORLEANS}contest/{key}/", {"reason": "never ours"})

    contest = Contest.objects.get()
    assert [each.number for each in waiting_for(finance)] == [1]
    address = f"/accounts/contests/{contest.pk}/"
    assert "never ours" in text_of(finance, address)
    browser = signed_in_as(finance)
    incomplete = browser.post(address, {"decision": "amount", "answer": "so"})
    assert incomplete.status_code == 200
    at_odds = {"decision": "reject", "amount": "0.01", "answer": "so"}
    assert browser.post(address, at_odds).context["form"].errors.keys() == {"amount"}
    browser.post(address, {"decision": "amount", "amount": "0.01", "answer": "counted twice"})
    contest.refresh_from_db()
    assert contest.state == ContestState.UPHELD
    assert "counted twice" in text_of(orleans, address)
    assert waiting_for(finance) == []


def test_a_statement_is_accepted_by_its_button(market: Market, orleans: User) -> None:
    browser = signed_in_as(orleans)
    browser.post(f"{OF_ORLEANS}accept/", {"seen": "what it was"})
    assert not Acceptance.objects.exists()

    seen = draft_of(market.orleans, MARCH).lines_hash
    assert seen in text_of(orleans, OF_ORLEANS)
    browser.post(f"{OF_ORLEANS}accept/", {"seen": seen})

    assert Acceptance.objects.get().accepted_by == orleans
    assert f"{OF_ORLEANS}accept/" not in text_of(orleans, OF_ORLEANS)


def test_a_credit_note_is_read_by_whom_it_concerns_and_says_the_same_in_each_file(
    market: Market, orleans: User
) -> None:
    close_month(by=OPERATOR, month=MARCH)
    asked = UsageRecord.objects.filter(asking_institution_id=market.orleans.pk)
    dearest = asked.exclude(posting_id=None).order_by("-cost_nano").first()
    assert dearest is not None
    reverse_request(by=OPERATOR, request=dearest, reason="answered nonsense")
    own = Note.objects.get(institution=market.orleans)
    other = Note.objects.exclude(institution=market.orleans).get()
    address = f"/accounts/notes/{own.number}/"

    page = text_of(orleans, address)
    assert "answered nonsense" in page
    assert own.statement is not None
    assert own.statement.lines_hash in page
    assert own.number in text_of(orleans, OF_ORLEANS)
    rows = told(orleans, f"{address}csv/")
    assert sum(Decimal(row["amount_eur"]) for row in rows) * 100 == own.net_cents
    assert not any(
        row["amount_eur"].strip("-0.") == "" and "-" in row["amount_eur"] for row in rows
    )
    exact = sum(Decimal(row["exact_eur"]) for row in rows)
    assert exact * 10**9 == dearest.cost_nano
    assert sum(row[-1] for row in numbers_of(orleans, f"{address}xlsx/")) * 100 == own.net_cents
    assert signed_in_as(orleans).get(f"{address}pdf/").content.startswith(b"%PDF-")
    for ending in ("", "pdf/", "csv/", "xlsx/"):
        foreign = signed_in_as(orleans).get(f"/accounts/notes/{other.number}/{ending}")
        assert foreign.status_code == 404


def settled_in_december(market: Market) -> None:
    """As if March had been in 2025: a year with nothing of it left open."""
    for number in range(1, 13):
        month = date(2025, number, 1)
        draft_month(by=OPERATOR, month=month)
        close_month(by=OPERATOR, month=month)


def test_a_year_is_entered_looked_at_and_posted_by_pages(
    market: Market, orleans: User, finance: User
) -> None:
    before = timezone.now().replace(year=2025, month=5, day=5)
    for served in market.served:
        served.version.model.prices.create(valid_from=before, prompt_nano=20_000)
    intake.store([
        market.asked(who, served, before, prompt_tokens=1_000_000 + n, cached_tokens=0)
        for n, who in enumerate((market.orleans, market.reims))
        for served in market.served
    ])  # fmt: skip
    settled_in_december(market)
    browser = signed_in_as(finance)
    address = "/accounts/years/2025/"
    assert "provisional" in text_of(orleans, address)

    entered = {"amount": "100.01", "evidence": "accounts approved in March"}
    browser.post(address, entered)
    preview = text_of(finance, address)
    assert "Share them out" in preview
    assert "100.01" in preview
    assert "100.01" not in text_of(orleans, address)
    browser.post(f"{address}post/", {"seen": "10001"})

    assert CostPool.objects.get().posted_at is not None
    assert sum(share.final_cents for share in YearShare.objects.all()) == 10_001
    everybody = told(finance, f"{address}csv/")
    assert sum(Decimal(row["share_of_costs_eur"]) for row in everybody) == Decimal("100.01")
    assert round(sum(row[2] for row in numbers_of(finance, f"{address}xlsx/")), 2) == 100.01
    (own,) = told(orleans, f"{address}csv/")
    assert own["institution"] == market.orleans.name
    note = Note.objects.get(institution=market.orleans)
    assert f"/accounts/notes/{note.number}/" in text_of(orleans, address)
    assert "100.01" in text_of(orleans, f"/accounts/notes/{note.number}/")


def test_of_a_settled_year_nothing_is_offered_that_would_be_refused(
    market: Market, orleans: User
) -> None:
    draft_month(by=OPERATOR, month=MARCH)
    close_month(by=OPERATOR, month=MARCH)
    offered = (f"{OF_ORLEANS}contest/", f"{OF_ORLEANS}accept/")
    assert all(address in text_of(orleans, OF_ORLEANS) for address in offered)

    CostPool.objects.create(year=MARCH.year, amount_cents=1, evidence="x", posted_at=timezone.now())

    shown = text_of(orleans, OF_ORLEANS)
    assert not any(address in shown for address in offered)
    assert "nothing of it is contested or corrected any more" in shown


def test_a_member_settles_no_year(market: Market, orleans: User) -> None:
    browser = signed_in_as(orleans)
    post = browser.post("/accounts/years/2025/", {"amount": "1", "evidence": "x"})
    assert post.status_code == 403
    CostPool.objects.create(year=2025, amount_cents=1, evidence="x")
    assert browser.post("/accounts/years/2025/post/", {"seen": "1"}).status_code == 403
    assert not YearShare.objects.exists()


def test_given_is_taken_and_every_member_reads_all_of_it(market: Market) -> None:
    user = make_user("user", Role.USER, institution=market.orleans)
    found = sheet(MARCH, MARCH)
    assert found.given == found.taken
    assert found.given.tokens > 0
    assert found.own.tokens > 0
    assert round(sum(row.share for row in found.rows), 9) == 1

    address = "/accounts/balance/?first=2026-03&last=2026-03"
    page = text_of(user, address)
    assert all(
        escape(place.name) in page for place in (market.rennes, market.reims, market.orleans)
    )
    rows = told(user, address.replace("?", "csv/?"))
    assert sum(int(row["given_tokens"]) for row in rows) == found.given.tokens
    assert sum(Decimal(row["net_eur"]) for row in rows) == 0
    assert len(numbers_of(user, address.replace("?", "xlsx/?"))) == 3
    assert sheet(date(2026, 4, 1), date(2026, 12, 1)).rows == ()


@pytest.mark.parametrize(
    "asked", ["first=2026-12&last=2026-01", "first=x", "last=", "first=1999-01"]
)
def test_a_span_that_is_none_is_the_present_year(market: Market, asked: str) -> None:
    user = make_user("user", Role.USER, institution=market.orleans)

    assert signed_in_as(user).get(f"/accounts/balance/?{asked}").status_code == 200


def test_without_a_role_there_is_no_balance_sheet(market: Market) -> None:
    for ending in ("", "csv/", "xlsx/"):
        answer = signed_in_as(make_user(f"nobody{ending[:3]}")).get(f"/accounts/balance/{ending}")
        assert answer.status_code == 403


def test_a_month_says_how_each_statement_stands(market: Market, finance: User) -> None:
    close_month(by=OPERATOR, month=MARCH)

    assert "to be read" in text_of(finance, "/accounts/months/2026-03/")
    assert AccountingPeriod.objects.get(month=MARCH).statements.exclude(number="").count() == 3
