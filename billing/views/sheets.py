"""The numbers of the pages of prices, accounts, statements and budgets as files: what each shows, under plain names."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from billing.budgeting.requests import requests_seen
from billing.budgeting.standing import Shown, names_of, shown
from billing.forms.accounts import MonthForm
from billing.ledger.accounts import Holding, holdings, months
from billing.ledger.prices import Priced, fees_in_force, price_list
from billing.models import UNITS, Budget, Contest, CostPool, FeeVersion, Note, Transfer
from billing.money import euros
from billing.periods import paris_today
from billing.statements.standing import standings
from billing.statements.years import years
from billing.views.accounts import accountant, transfers_seen
from billing.views.statements import of_month, period_of
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
FEES = ("institution", "valid_from", "basis_points", "note", "in_force")
MONTH = (
    *("institution", "used_eur", "served_eur", "granted_eur", "net_eur"),
    *("state", "open_contests", "accepted"),
)
NOTES = (
    *("number", "kind", "institution", "month", "year", "issued_on", "booked_month"),
    *("used_eur", "served_eur", "granted_eur", "net_eur", "reason", "invoice"),
)
CONTESTS = (
    *("contest", "institution", "month", "kind", "other_institution", "model", "unit", "quantity"),
    *("amount_eur", "state", "reason", "answered_at", "answer"),
)
YEARS = ("year", "is_over", "costs_eur", "posted_at")
REQUESTS = (
    *("request", "whose", "scope", "unit", "window", "before", "wanted", "granted", "until"),
    *("asked_by", "asked_at", "state", "reason", "answer"),
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


def _amount(budget: Budget, amount: int | None) -> Decimal | int | None:
    """Return an amount of a budget: euros where it bounds these."""
    if amount is None or budget.unit != BudgetUnit.NANO_EUROS:
        return amount
    return euros(amount)


def _budget(each: Shown) -> dict[str, Any]:
    budget = each.budget
    return {
        "budget": budget.pk,
        "whose": each.whose,
        "name": budget.name,
        "scope": budget.scope,
        "unit": budget.unit,
        "window": budget.window,
        "hard": budget.hard,
        "most": _amount(budget, budget.most),
        "spent": _amount(budget, each.spent),
        "remaining": _amount(budget, each.remaining),
        "percent": each.percent,
        "forecast": _amount(budget, each.forecast),
        "since": each.since,
        "until": each.until,
    }


# Lists whose file is all of the list, in the order of the page.


def _fees(request: HttpRequest) -> Iterator[tuple[Any, ...]]:
    user = signed_in(request)
    in_force = {fee.pk for fee in fees_in_force(user).values()}
    for fee in FeeVersion.objects.for_user(user).select_related("institution"):
        name = fee.institution.name if fee.institution else ""
        yield name, fee.valid_from, fee.basis_points, fee.note, fee.pk in in_force


def _month(request: HttpRequest, month: date) -> Iterator[tuple[Any, ...]]:
    user, period = accountant(request), period_of(month)
    drafts = of_month(user, month)
    for draft, standing in zip(drafts, standings(period, drafts), strict=True):
        amounts = draft.used_cents, draft.served_cents, draft.granted_cents, draft.net_cents
        accepted = bool(standing.acceptance) or standing.is_tacit
        said = period.state, standing.open_contests, accepted
        yield draft.institution.name, *map(_euros, amounts), *said


def _notes(request: HttpRequest) -> Iterator[tuple[Any, ...]]:
    rows = Note.objects.for_user(accountant(request)).with_invoices().select_related("pool")
    for note in rows.order_by("-pk"):
        amounts = note.used_cents, note.served_cents, note.granted_cents, note.net_cents
        invoiced = getattr(note, "invoiced", None)
        yield (
            *(note.number, note.kind, note.institution.name),
            f"{note.statement.period.month:%Y-%m}" if note.statement else "",
            note.pool.year if note.pool else None,
            *(note.issued_on, f"{note.booked_month:%Y-%m}", *map(_euros, amounts), note.reason),
            invoiced.invoice.number if invoiced else "",
        )


def _contests(request: HttpRequest) -> Iterator[tuple[Any, ...]]:
    rows = Contest.objects.for_user(accountant(request)).select_related("institution")
    for contest in rows.order_by("-pk"):
        yield (
            *(contest.pk, contest.institution.name, f"{contest.month:%Y-%m}", contest.kind),
            *(contest.other_name, contest.model_name, contest.unit, contest.quantity),
            *(_euros(contest.cents), contest.state, contest.reason),
            *(contest.answered_at, contest.answer),
        )


def _years(request: HttpRequest) -> Iterator[tuple[Any, ...]]:
    user = accountant(request)
    pools = {pool.year: pool for pool in CostPool.objects.for_user(user)}
    for year in years(user):
        pool = pools.get(year)
        costs = _euros(pool.amount_cents) if pool else None
        yield year, year < paris_today().year, costs, pool.posted_at if pool else None


def _requests(request: HttpRequest) -> Iterator[tuple[Any, ...]]:
    rows = list(requests_seen(signed_in(request)))
    names = names_of([row.budget for row in rows])
    for row in rows:
        budget = row.budget
        before = budget.most if row.before is None else row.before
        yield (
            *(row.pk, names.get(budget.scope_id, ""), budget.scope, budget.unit, budget.window),
            *(_amount(budget, amount) for amount in (before, row.wanted, row.granted)),
            *(row.until, row.asked_by.name, row.created_at, row.state, row.reason, row.answer),
        )


def _euros(cents: int) -> Decimal:
    return Decimal(cents) / 100


class Sheet(NamedTuple):
    """A page whose list is a file: its route, where it is, the file's columns, and what yields their values.

    `rows` refuses whom the page refuses.
    """

    page: str
    address: str
    columns: tuple[str, ...]
    rows: Callable[..., Iterator[tuple[Any, ...]]]


SHEETS = (
    Sheet("fees", "prices/fees/", FEES, _fees),
    Sheet("month_statements", "accounts/months/<month:month>/", MONTH, _month),
    Sheet("notes", "accounts/notes/", NOTES, _notes),
    Sheet("contests", "accounts/contests/", CONTESTS, _contests),
    Sheet("years", "accounts/years/", YEARS, _years),
    Sheet("budget_requests", "budgets/requests/", REQUESTS, _requests),
)


@require_safe
@login_required
def sheet_csv(request: HttpRequest, sheet: Sheet, **asked: date) -> StreamingHttpResponse:
    """One of `SHEETS`."""
    rows = list(sheet.rows(request, **asked))  # whoever may not read them is refused here
    lines = (dict(zip(sheet.columns, row, strict=True)) for row in rows)
    name = "_".join([sheet.page, *(f"{month:%Y-%m}" for month in asked.values())])
    return _file(sheet.columns, lines, name)
