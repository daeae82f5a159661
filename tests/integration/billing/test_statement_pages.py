"""Statements on pages and in files: each reads its own, all say the same, and a month moves by its buttons."""

import csv
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from django.utils.translation import override

from billing.enums import LineUnit, PeriodState
from billing.models import AccountingPeriod, Statement
from billing.operations.months import close_month, draft_month
from billing.records import intake
from billing.statements import files
from billing.statements.document import of_draft
from billing.statements.statement import draft_of, drafts
from federation.people.enums import Role
from federation.people.models import User
from federation.sheets import BYTE_ORDER_MARK
from tests.integration.billing.market import Market
from tests.support.factories import OPERATOR, make_user
from tests.support.pages import plain_static, signed_in_as

__all__ = ["plain_static"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]
MARCH = date(2026, 3, 1)
OF_MARCH = "/accounts/months/2026-03/"


@pytest.fixture
def market() -> Market:
    found = Market()
    intake.store([found.request(n) for n in range(80)])
    return found


@pytest.fixture
def dsi(market: Market) -> User:
    return make_user("dsi", Role.MEMBER_DSI, institution=market.rennes)


def text_of(user: User, address: str) -> str:
    page = signed_in_as(user).get(address)
    assert page.status_code == 200, address
    return " ".join(page.content.decode().split())


def test_each_reads_its_own_statement_and_no_other(market: Market, dsi: User) -> None:
    browser = signed_in_as(dsi)

    assert browser.get(f"{OF_MARCH}rennes/").status_code == 200
    for ending in ("", "pdf/", "csv/", "xlsx/"):
        assert browser.get(f"{OF_MARCH}reims/{ending}").status_code == 404
    month = text_of(dsi, OF_MARCH)
    assert f"{OF_MARCH}rennes/" in month
    assert f"{OF_MARCH}reims/" not in month
    assert signed_in_as(make_user("nobody")).get(OF_MARCH).status_code == 403


def test_a_month_moves_by_its_buttons(market: Market) -> None:
    browser = signed_in_as(make_user("fin", Role.FINANCE))
    assert f"{OF_MARCH}draft/" in browser.get(OF_MARCH).content.decode()

    browser.post(f"{OF_MARCH}draft/")
    assert AccountingPeriod.objects.get().state == PeriodState.GRACE
    for _again in range(2):
        browser.post(f"{OF_MARCH}close/")

    assert AccountingPeriod.objects.get().state == PeriodState.CLOSED
    page = browser.get(OF_MARCH).content.decode()
    assert f"{OF_MARCH}close/" not in page
    assert Statement.objects.count() == len(drafts(MARCH))


def test_an_it_department_closes_nothing(market: Market, dsi: User) -> None:
    assert signed_in_as(dsi).post(f"{OF_MARCH}draft/").status_code == 403
    assert not AccountingPeriod.objects.exists()


@pytest.mark.parametrize("address", ["2026-13", "2026-3", "1999-01", "2026-02-01", "x"])
def test_what_is_no_month_is_nowhere(market: Market, dsi: User, address: str) -> None:
    assert signed_in_as(dsi).get(f"/accounts/months/{address}/").status_code == 404


@pytest.mark.parametrize("closed", [False, True])
def test_page_csv_workbook_and_ledger_say_the_same(
    market: Market, dsi: User, *, closed: bool
) -> None:
    """I14: whatever a statement is read as, it adds up to the same."""
    if closed:
        draft_month(by=OPERATOR, month=MARCH)
        close_month(by=OPERATOR, month=MARCH)
    draft = draft_of(market.rennes, MARCH)
    browser = signed_in_as(dsi)

    as_csv = browser.get(f"{OF_MARCH}rennes/csv/", headers={"accept-language": "fr"})
    lines = list(csv.DictReader(
        StringIO(as_csv.content.decode().removeprefix(BYTE_ORDER_MARK)), delimiter=";"
    ))  # fmt: skip
    net = Decimal(draft.net_cents) / 100
    assert sum(Decimal(line["amount_eur"]) for line in lines) == net
    assert as_csv["Content-Disposition"] == 'attachment; filename="rennes_2026-03.csv"'
    as_book = browser.get(f"{OF_MARCH}rennes/xlsx/").content
    assert sum(amounts_of(as_book)) == pytest.approx(float(net))
    shown = text_of(dsi, f"{OF_MARCH}rennes/")
    assert f"{abs(net):.2f}".replace(".", ",") in shown


def test_audio_is_told_in_seconds_and_by_the_second_everywhere(market: Market, dsi: User) -> None:
    audio = [line for line in draft_of(market.rennes, MARCH).lines if line.unit == LineUnit.AUDIO]
    assert audio
    browser = signed_in_as(dsi)

    as_csv = browser.get(f"{OF_MARCH}rennes/csv/", headers={"accept-language": "fr"})
    lines = csv.DictReader(
        StringIO(as_csv.content.decode().removeprefix(BYTE_ORDER_MARK)), delimiter=";"
    )
    told = [Decimal(line["quantity"]) for line in lines if line["unit"] == "audio"]
    assert told == [Decimal(line.quantity) / 1000 for line in audio]
    shown = text_of(dsi, f"{OF_MARCH}rennes/").replace("\u202f", "").replace("\xa0", "")
    for line in audio:
        assert f"{Decimal(line.quantity) / 1000:.3f}".replace(".", ",") in shown
    assert "0,000000077" in shown


def amounts_of(book: bytes) -> list[float]:
    names = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with ZipFile(BytesIO(book)) as archive:
        root = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    cells = [cell for cell in root.iterfind(".//m:c", names) if cell.attrib["r"].startswith("I")]
    return [float(cell.findtext("m:v", namespaces=names) or 0) for cell in cells[1:]]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_pdf_is_one(market: Market, language: str) -> None:
    with override(language):
        content = files.pdf(of_draft(draft_of(market.rennes, MARCH), MARCH), language)

    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")


def test_a_month_without_anything_has_an_empty_statement(market: Market, dsi: User) -> None:
    assert "<table" not in text_of(dsi, "/accounts/months/2025-01/rennes/")
    for ending in ("pdf", "csv", "xlsx"):
        address = f"/accounts/months/2025-01/rennes/{ending}/"
        assert signed_in_as(dsi).get(address).status_code == 200


def test_the_months_are_listed_with_their_state(market: Market, dsi: User) -> None:
    assert OF_MARCH in text_of(dsi, "/accounts/months/")
