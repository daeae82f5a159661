"""Statements on pages and in files: each reads its own, all say the same, and a month moves by its buttons."""

import csv
import random
import re
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.db.models import QuerySet, Sum
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from pypdf import PdfReader

from billing.enums import OWED_LINES, AccountKind, LineUnit, PeriodState, TransferReason
from billing.ledger import balances
from billing.models import AccountingPeriod, Statement, Transfer
from billing.money import euros
from billing.operations.months import close_month, draft_month
from billing.records import intake
from billing.statements import files
from billing.statements.document import of_draft
from billing.statements.statement import NANO_PER_CENT, Draft, Line, draft_of, drafts, kept
from billing.templatetags.money import cents
from billing.views.statements import of_month
from federation.fleet.models import Deployment
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from federation.sheets import BYTE_ORDER_MARK
from routing.core.accounting import Closed
from tests.integration.billing.conftest import used
from tests.integration.billing.market import HISTORY, Market, price_from
from tests.integration.dashboards.test_exports import whole
from tests.support.factories import (
    OPERATOR,
    make_application,
    make_key,
    make_user,
    serve_model,
)
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
    assert "Ouvert" in text_of(dsi, f"{OF_MARCH}rennes/")
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


def test_a_closed_month_is_read_at_once_however_many_statements_it_has(market: Market) -> None:
    draft_month(by=OPERATOR, month=MARCH)
    close_month(by=OPERATOR, month=MARCH)

    with CaptureQueriesContext(connection) as asked:
        told = of_month(make_user("fin", Role.FINANCE), MARCH)

    assert told == [kept(each) for each in Statement.objects.order_by("institution__name")]
    of_statements = [each for each in asked.captured_queries if "billing_statement" in each["sql"]]
    assert len(told) > len(of_statements) == 2


def test_an_it_department_closes_nothing(market: Market, dsi: User) -> None:
    assert signed_in_as(dsi).post(f"{OF_MARCH}draft/").status_code == 403
    assert not AccountingPeriod.objects.exists()


@pytest.mark.parametrize("address", ["2026-13", "2026-3", "1999-01", "2026-02-01", "x"])
def test_what_is_no_month_is_nowhere(market: Market, dsi: User, address: str) -> None:
    assert signed_in_as(dsi).get(f"/accounts/months/{address}/").status_code == 404


@pytest.mark.parametrize(("seed", "closed"), [(1, False), (2, True), (3, True)])
def test_page_csv_workbook_pdf_ledger_and_usage_say_the_same(seed: int, *, closed: bool) -> None:
    """I14: whatever a month of an institution with several models is read as, it adds up to the same."""
    market = Market()
    secret = a_history(market, seed)
    dsi = make_user("dsi", Role.MEMBER_DSI, institution=market.rennes)
    if closed:
        draft_month(by=OPERATOR, month=MARCH)
        close_month(by=OPERATOR, month=MARCH)
    draft = draft_of(market.rennes, MARCH)
    assert all((draft.used_cents, draft.served_cents, draft.net_cents))

    check_files(signed_in_as(dsi), draft)
    check_page_and_paper(dsi, draft)
    check_ledger(draft, is_closed=closed)
    check_usage(signed_in_as(dsi), secret, draft)
    assert balances.findings() == []


def owed_by(draft: Draft) -> list[Line]:
    return [line for line in draft.lines if line.kind in OWED_LINES]


def exact(lines: list[Line]) -> int:
    return sum(line.exact_nano for line in lines)


def check_files(browser: Client, draft: Draft) -> None:
    as_csv = browser.get(f"{OF_MARCH}rennes/csv/", headers={"accept-language": "fr"})
    lines = lines_of(as_csv.content.decode())
    net = Decimal(draft.net_cents) / 100
    assert sum(Decimal(line["amount_eur"]) for line in lines) == net
    owed = [line for line in lines if line["kind"] in OWED_LINES]
    assert -sum(Decimal(line["exact_eur"]) for line in owed) == euros(exact(owed_by(draft)))
    assert as_csv["Content-Disposition"] == 'attachment; filename="rennes_2026-03.csv"'
    as_book = browser.get(f"{OF_MARCH}rennes/xlsx/").content
    assert sum(amounts_of(as_book)) == pytest.approx(float(net))


def check_page_and_paper(dsi: User, draft: Draft) -> None:
    shown = "".join(text_of(dsi, f"{OF_MARCH}rennes/").split())
    paper = paper_of(signed_in_as(dsi).get(f"{OF_MARCH}rennes/pdf/").content)
    with override("fr"):
        sums = (draft.used_cents, draft.served_cents, draft.net_cents)
        assert all("".join(cents(each).split()) in shown for each in sums)
        column = re.findall(r'data-label="Montant"><div>(.*?)</div>', shown)
        assert column == ["".join(cents(line.signed_cents).split()) for line in draft.lines]
        assert sum(line.signed_cents for line in draft.lines) + draft.granted_cents == sums[-1]
        net = "Àpayer" if draft.net_cents < 0 else "Àrecevoir"
        assert f"{net}:{amount(abs(draft.net_cents))}€" in paper
        told = [draft.used_cents, draft.served_cents, *(line.cents for line in draft.lines)]
        assert all(amount(each) in paper for each in told)


def check_ledger(draft: Draft, *, is_closed: bool) -> None:
    institution, transfers = draft.institution, Transfer.objects.filter(booked_month=MARCH)
    exactly = transfers.exclude(reason=TransferReason.ROUNDING)
    assert -moved(exactly, institution, AccountKind.CONSUMER) == exact(owed_by(draft))
    if is_closed:
        gave = -moved(transfers, institution, AccountKind.CONSUMER)
        got = moved(transfers, institution, AccountKind.HOST)
        assert gave == draft.used_cents * NANO_PER_CENT
        assert got == draft.served_cents * NANO_PER_CENT


def check_usage(browser: Client, secret: str, draft: Draft) -> None:
    owed, period = owed_by(draft), "first=2026-03-01&last=2026-03-31"
    for file in ("", "keys/", "days/"):
        sheet = browser.get(f"/usage/{file}csv/?scope=institution&days=custom&{period}")
        assert isinstance(sheet, StreamingHttpResponse)
        lines = lines_of(async_to_sync(whole)(sheet))
        assert sum(Decimal(line["billed_eur"]) for line in lines) == euros(exact(owed)), file
        assert sum(Decimal(line["cost_eur"]) for line in lines) > euros(exact(owed))
    bearer = {"authorization": f"Bearer {secret}"}
    told = Client().get(f"/manage/api/usage?{period}", headers=bearer).json()
    assert Decimal(told["total"]["billed_eur"]) == euros(exact(owed))
    billed = {each["model"]: Decimal(each["used"]["billed_eur"]) for each in told["models"]}
    assert {name: amount for name, amount in billed.items() if amount} == {
        name: euros(exact([line for line in owed if line.model_name == name]))
        for name in {line.model_name for line in owed}
    }
    assert len(billed) == 3


def a_history(market: Market, seed: int) -> str:
    """Random requests of everybody at everybody's, of three models. Return the secret of the one key of Rennes."""
    draw = random.Random(seed)
    third = serve_model(market.reims, "phi")
    price_from(HISTORY - timedelta(days=100), third, completion_nano=450, audio_second_nano=700)
    market.served.append(third)
    everybody = (market.rennes, market.reims, market.orleans)
    keys = {each: make_key(make_application(each)) for each in everybody}

    def request(asking: Institution, served: Deployment) -> Closed:
        return used(
            keys[asking][0],
            served,
            at=market.turn + timedelta(minutes=draw.randrange(-3000, 3000)),
            prompt_tokens=draw.randrange(900_000),
            cached_tokens=draw.randrange(500_000),
            completion_tokens=draw.randrange(90_000),
            audio_ms=draw.choice([0, draw.randrange(90_000)]),
        )

    of_each = [request(asking, served) for asking in everybody for served in market.served]
    pairs = [(draw.choice(everybody), draw.choice(market.served)) for _ in range(20)]
    intake.store([*of_each, *(request(*pair) for pair in pairs)])
    return keys[market.rennes][1]


def moved(transfers: QuerySet[Transfer], institution: Institution, kind: AccountKind) -> int:
    """What an account got, less what it gave."""
    got = transfers.filter(credit__institution=institution, credit__kind=kind)
    gave = transfers.filter(debit__institution=institution, debit__kind=kind)
    total = Sum("amount_nano", default=0)
    return int(got.aggregate(n=total)["n"] - gave.aggregate(n=total)["n"])


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text.removeprefix(BYTE_ORDER_MARK)), delimiter=";"))


def paper_of(content: bytes) -> str:
    """The text of a PDF, without any space."""
    pages = PdfReader(BytesIO(content)).pages
    return "".join("".join(page.extract_text() for page in pages).split())


def amount(number: int) -> str:
    return "".join(files.amount(number).split())


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
def test_the_pdf_says_what_the_statement_does(market: Market, language: str) -> None:
    draft = draft_of(market.rennes, MARCH)
    with override(language):
        content = files.pdf(of_draft(draft, MARCH), language)
        sums = [amount(each) for each in (draft.used_cents, draft.served_cents)]

    assert content.rstrip().endswith(b"%%EOF")
    paper = paper_of(content)
    words = {"fr": ("Utilisé", "Servi"), "en": ("Used", "Served")}[language]
    for word, told in zip(words, sums, strict=True):
        assert re.search(rf"{word}[^€]*:{re.escape(told)}€", paper), (word, told)
    assert draft.institution.name.replace(" ", "") in paper


def test_a_month_without_anything_has_an_empty_statement(market: Market, dsi: User) -> None:
    assert "<table" not in text_of(dsi, "/accounts/months/2025-01/rennes/")
    for ending in ("pdf", "csv", "xlsx"):
        address = f"/accounts/months/2025-01/rennes/{ending}/"
        assert signed_in_as(dsi).get(address).status_code == 200


def test_the_months_are_listed_with_their_state(market: Market, dsi: User) -> None:
    assert OF_MARCH in text_of(dsi, "/accounts/months/")
