"""The numbers of the pages of prices, accounts, transfers and budgets as files: what each shows, under plain names."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from billing.budgeting.standing import Shown, shown
from billing.forms.accounts import MonthForm
from billing.ledger.accounts import Holding, holdings, months
from billing.ledger.prices import Priced, price_list
from billing.models import UNITS, Transfer
from billing.money import euros
from billing.views.accounts import accountant, transfers_seen
from federation.people.guards import signed_in
from federation.sheets import streamed, table_lines
from routing.core.enums import BudgetUnit

PRICES = ("model", "kind", "valid_from", *(f"{unit.removesuffix('_nano')}_eur" for unit in UNITS))
HOLDINGS = ("institution", "used_eur", "served_eur", "granted_eur", "net_eur", "own_eur")
TRANSFERS = ("id", "created_at", "debit", "credit", "amount_eur", "month", "reason", "note", "key")
BUDGETS = (
    *("budget", "whose", "name", "scope", "unit", "window", "hard"),
    *("most", "spent", "remaining", "percent", "forecast", "since", "until"),
)
TRANSFERS_AT_ONCE = 2_000


@require_safe
@login_required
def prices_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The price list: of one token, second or image; with the next version of a model where one is announced."""
    rows = (row for each in price_list(signed_in(request)) for row in _prices(each))
    return _file(PRICES, rows, "prices")


@require_safe
@login_required
def accounts_csv(request: HttpRequest) -> StreamingHttpResponse:
    user = accountant(request)
    month = MonthForm(request.GET.dict(), months=months(user)).chosen
    rows = map(_holding, holdings(user, month))
    return _file(HOLDINGS, rows, f"accounts_{month:%Y-%m}" if month else "accounts")


@require_safe
@login_required
def transfers_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every transfer of the chosen month, or of all, the oldest first."""
    user = accountant(request)
    month = MonthForm(request.GET.dict(), months=months(user)).chosen
    seen = transfers_seen(user, month).order_by("created_at", "pk")
    rows = map(_transfer, seen.iterator(TRANSFERS_AT_ONCE))
    return _file(TRANSFERS, rows, f"transfers_{month:%Y-%m}" if month else "transfers")


@require_safe
@login_required
def budgets_csv(request: HttpRequest) -> StreamingHttpResponse:
    return _file(BUDGETS, map(_budget, shown(signed_in(request))), "budgets")


def _file(
    columns: tuple[str, ...], rows: Iterator[dict[str, Any]], name: str
) -> StreamingHttpResponse:
    return streamed(table_lines(columns, rows, get_language() or ""), f"{name}.csv")


def _prices(priced: Priced) -> Iterator[dict[str, Any]]:
    for price in filter(None, (priced.price, priced.next)):
        amounts = [getattr(price, unit) for unit in UNITS]
        told = [None if each is None else euros(each) for each in amounts]
        facts = priced.model.slug, price.kind, price.valid_from
        yield dict(zip(PRICES, (*facts, *told), strict=True))


def _holding(row: Holding) -> dict[str, Any]:
    amounts = row.owed_nano, row.earned_nano, row.granted_nano, row.net_nano, row.own_nano
    return dict(zip(HOLDINGS, (row.institution.name, *map(euros, amounts)), strict=True))


def _transfer(row: Transfer) -> dict[str, Any]:
    return {
        "id": row.pk,
        "created_at": row.created_at,
        "debit": row.debit_id,
        "credit": row.credit_id,
        "amount_eur": euros(row.amount_nano),
        "month": f"{row.booked_month:%Y-%m}",
        "reason": row.reason,
        "note": row.note,
        "key": row.key,
    }


def _budget(each: Shown) -> dict[str, Any]:
    budget = each.budget

    def told(amount: int | None) -> Decimal | int | None:
        if amount is None or budget.unit != BudgetUnit.NANO_EUROS:
            return amount
        return euros(amount)

    return {
        "budget": budget.pk,
        "whose": each.whose,
        "name": budget.name,
        "scope": budget.scope,
        "unit": budget.unit,
        "window": budget.window,
        "hard": budget.hard,
        "most": told(budget.most),
        "spent": told(each.spent),
        "remaining": told(each.remaining),
        "percent": each.percent,
        "forecast": told(each.forecast),
        "since": each.since,
        "until": each.until,
    }
