"""The federation's balance sheet: who gave and took how much, for every member to read, as a page and as files."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from billing import tables
from billing.balance import Amounts, Row, Sheet, months, sheet
from billing.forms.accounts import SpanForm
from billing.money import euros
from billing.policies import check_read_balance
from billing.views.files import attached
from federation.people.guards import signed_in

SIDES = ("given", "taken", "net", "own")
MEASURES = ("requests", "tokens", "eur")
COLUMNS = (
    "institution",
    *(f"{side}_{measure}" for side in SIDES for measure in MEASURES),
    "share_of_given_percent",
)


@require_safe
@login_required
def balance(request: HttpRequest) -> HttpResponse:
    form, first, last = _span(request)
    context = {"form": form, "first": first, "last": last, "sheet": sheet(first, last)}
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


def _rows(found: Sheet) -> Iterator[dict[str, Any]]:
    for row in found.rows:
        yield dict(zip(COLUMNS, _values(row), strict=True))


def _values(row: Row) -> Iterator[Any]:
    yield row.institution.name if row.institution else ""
    for side in SIDES:
        amounts: Amounts = getattr(row, side)
        yield from (amounts.requests, amounts.tokens, euros(amounts.nano))
    yield round(Decimal(row.percent), 3)
