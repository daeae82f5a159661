"""The lists of pages of money as files: each has its own, with a link, all of its rows, and the page's readers."""

import csv
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.http import StreamingHttpResponse
from django.urls import reverse

from billing.enums import BudgetWindow
from billing.models import FeeVersion, Note, Statement
from billing.operations.budgets import set_budget
from billing.operations.contests import Remedy, contest_line, uphold_contest
from billing.operations.months import close_month, draft_month
from billing.operations.requests import ask_for_more
from billing.operations.years import set_cost_pool
from billing.records import intake
from billing.statements.statement import NANO_PER_CENT, draft_of, keys_of
from billing.views.sheets import SHEETS, Sheet
from federation.people.enums import Role
from federation.people.models import User
from routing.core.enums import BudgetUnit
from tests.integration.billing.market import Market
from tests.integration.dashboards.test_exports import whole
from tests.support.factories import OPERATOR, make_user
from tests.support.pages import plain_static, signed_in_as

__all__ = ["plain_static"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]
MARCH = date(2026, 3, 1)


@pytest.fixture
def market() -> Market:
    """A closed month of which one line was contested and credited; a year's costs; a budget that is too small."""
    found = Market()
    large = found.asked(found.orleans, found.served[1], prompt_tokens=10**6, cached_tokens=0)
    intake.store([large, *(found.request(n) for n in range(40))])
    finance = make_user("speaker", Role.MEMBER_FINANCE, institution=found.orleans)
    draft_month(by=OPERATOR, month=MARCH)
    close_month(by=OPERATOR, month=MARCH)
    draft = draft_of(found.orleans, MARCH)
    line_key, _line = max(
        zip(keys_of(draft.lines), draft.lines, strict=True), key=lambda pair: abs(pair[1].cents)
    )
    contest = contest_line(
        by=finance, institution=found.orleans, month=MARCH, line_key=line_key, reason="=faux"
    )
    remedy = Remedy(amount_nano=NANO_PER_CENT, other=found.reims)
    uphold_contest(by=OPERATOR, contest=contest, answer="oui", remedy=remedy)
    set_cost_pool(by=OPERATOR, year=2025, amount_cents=12_345, evidence="x")
    budget = set_budget(
        by=OPERATOR,
        owner=found.orleans,
        unit=BudgetUnit.NANO_EUROS,
        most=5 * 10**9,
        window=BudgetWindow.MONTH,
    )
    ask_for_more(by=finance, budget=budget, wanted=7 * 10**9, reason="plus")
    return found


@pytest.fixture
def finance(market: Market) -> User:
    return make_user("fin", Role.FINANCE)


def lines(who: User, page: str, **asked: date) -> list[dict[str, str]]:
    answer = signed_in_as(who).get(reverse(f"{page}_csv", kwargs=asked))
    assert isinstance(answer, StreamingHttpResponse), answer.status_code
    text = async_to_sync(whole)(answer).removeprefix("\ufeff")
    return list(csv.DictReader(StringIO(text), delimiter=";"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.page)
def test_each_page_leads_to_its_file(market: Market, finance: User, sheet: Sheet) -> None:
    asked = {"month": MARCH} if sheet.page == "month_statements" else {}
    page = signed_in_as(finance).get(reverse(sheet.page, kwargs=asked)).content.decode()

    assert f'href="{reverse(f"{sheet.page}_csv", kwargs=asked)}"' in page
    assert list(lines(finance, sheet.page, **asked)[0]) == list(sheet.columns)


def test_the_files_say_what_the_pages_show(market: Market, finance: User) -> None:
    month = {row["institution"]: row for row in lines(finance, "month_statements", month=MARCH)}
    for row in Statement.objects.select_related("institution"):
        told = month.pop(row.institution.name)
        amounts = row.used_cents, row.served_cents, row.granted_cents, row.net_cents
        columns = "used_eur", "served_eur", "granted_eur", "net_eur"
        assert [Decimal(told[column]) * 100 for column in columns] == list(amounts)
        assert (told["state"], told["open_contests"], told["accepted"]) == ("closed", "0", "0")
    assert not month
    notes = Note.objects.order_by("-pk")
    assert [
        (row["number"], int(Decimal(row["net_eur"]) * 100)) for row in lines(finance, "notes")
    ] == [(note.number, note.net_cents) for note in notes]
    assert sorted(note.net_cents for note in notes) == [-1, 1]
    assert {(row["month"], row["year"]) for row in lines(finance, "notes")} == {("2026-03", "")}
    (contest,) = lines(finance, "contests")
    assert (contest["state"], contest["reason"], contest["answer"]) == ("upheld", "'=faux", "oui")
    years = {row["year"]: row["costs_eur"] for row in lines(finance, "years")}
    assert years["2025"] == "123.450000000"
    (asked,) = lines(finance, "budget_requests")
    assert (asked["before"], asked["wanted"], asked["granted"]) == (
        *("5.000000000", "7.000000000"),
        "",
    )
    fees = lines(finance, "fees")
    assert [int(row["basis_points"]) for row in fees] == [
        fee.basis_points for fee in FeeVersion.objects.all()
    ]
    assert [row["in_force"] for row in fees if not row["institution"]] == ["1", "0"]


def test_a_file_has_what_its_reader_sees_on_the_page_and_no_more(market: Market) -> None:
    department = make_user("dsi", Role.MEMBER_DSI, institution=market.rennes)

    assert [row["institution"] for row in lines(department, "month_statements", month=MARCH)] == [
        market.rennes.name
    ]
    assert not any(lines(department, page) for page in ("notes", "contests", "budget_requests"))
    assert all(row["institution"] in ("", market.rennes.name) for row in lines(department, "fees"))
    nobody = signed_in_as(make_user("nobody"))
    for page in ("notes", "contests", "years"):
        assert nobody.get(reverse(f"{page}_csv")).status_code == 403
    assert nobody.get(reverse("month_statements_csv", args=[MARCH])).status_code == 403
