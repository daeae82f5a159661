"""The federation's balance sheet: who gave and took how much, for every member to read, as a page and as files."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing import tables
from billing.forms.accounts import SpanForm
from billing.money import euros
from billing.policies import check_read_balance
from billing.statements.balance import Amounts, Row, Sheet, months, sheet
from billing.templatetags.money import MINUS
from billing.templatetags.money import euros as in_euros
from billing.views.files import attached
from federation.people.guards import signed_in

SIDES = ("given", "taken", "net", "own")
MEASURES = ("requests", "tokens", "eur", "gpu_hours", "kwh")
COLUMNS = (
    "institution",
    *(f"{side}_{measure}" for side in SIDES for measure in MEASURES),
    "share_of_given_tokens_percent",
)


class Table(NamedTuple):
    """The sheet in one measure, as it is read: of each institution its name, and what it gave, took, and so on."""

    key: str
    title: str
    rows: list[tuple[str, list[str]]]
    total: list[str]


@require_safe
@login_required
def balance(request: HttpRequest) -> HttpResponse:
    form, first, last = _span(request)
    found = sheet(first, last)
    context = {
        "form": form,
        "first": first,
        "last": last,
        "sheet": found,
        "tables": [_table(found, *measure) for measure in _measures()],
    }
    return render(request, "billing/balance.html", context)


@require_safe
@login_required
def balance_file(request: HttpRequest, ending: str) -> HttpResponse:
    _form, first, last = _span(request)
    rows = _rows(sheet(first, last))
    if ending == "xlsx":
        content = tables.workbook(COLUMNS, rows, "balance")
    else:
        content = tables.csv(COLUMNS, rows, get_language() or "")
    return attached(content, ending, f"balance_{first:%Y-%m}_{last:%Y-%m}")


def _span(request: HttpRequest) -> tuple[SpanForm, date, date]:
    check_read_balance(signed_in(request))
    form = SpanForm(request.GET.dict(), months=months())
    return form, *form.chosen


def _measures() -> Iterator[tuple[str, str, Callable[[Amounts], str]]]:
    """Yield each measure with its title, and how an amount of it is read."""
    yield "euros", _("In euros"), lambda each: in_euros(each.nano)
    yield "tokens", _("In tokens"), lambda each: _number(Decimal(each.tokens), 0)
    yield "gpu", _("In GPU-hours"), lambda each: _number(each.gpu_hours, 2)
    yield "kwh", _("In kilowatt-hours"), lambda each: _number(each.kwh, 2)


def _table(found: Sheet, key: str, title: str, told: Callable[[Amounts], str]) -> Table:
    rows = [
        (
            row.institution.name if row.institution else _("not in the register"),
            [told(getattr(row, side)) for side in SIDES],
        )
        for row in found.rows
    ]
    return Table(key, title, rows, [told(found.given), told(found.taken), "–", told(found.own)])


def _number(amount: Decimal, decimals: int) -> str:
    shown = number_format(abs(round(amount, decimals)), decimals, force_grouping=True)
    return f"{MINUS}{shown}" if round(amount, decimals) < 0 else shown


def _rows(found: Sheet) -> Iterator[dict[str, Any]]:
    for row in found.rows:
        yield dict(zip(COLUMNS, _values(row), strict=True))


def _values(row: Row) -> Iterator[Any]:
    yield row.institution.name if row.institution else ""
    for side in SIDES:
        each: Amounts = getattr(row, side)
        yield from (each.requests, each.tokens, euros(each.nano), each.gpu_hours, each.kwh)
    yield round(Decimal(row.percent), 3)
