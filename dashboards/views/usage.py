"""My usage: totals, one chart with the same numbers as a table, keys, latest requests, and all of it as CSV."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.ledger.accounts import reads_accounts
from billing.periods import last_days
from billing.policies import can_read_balance
from billing.usage.asked import Asked
from billing.usage.footprint import footprints, total
from billing.usage.queries import (
    csv_rows,
    latest_requests,
    totals,
    usage_by_day,
    usage_by_key,
    usage_by_month,
)
from billing.usage.rows import Request
from dashboards.exports import (
    DAY_COLUMNS,
    JSON_LINES,
    KEY_COLUMNS,
    MODEL_COLUMNS,
    MOST_ROWS,
    WORKBOOK,
    csv_lines,
    day_row,
    json_lines,
    key_row,
    model_row,
    workbook,
)
from dashboards.figures.usage import usage_chart
from dashboards.forms import UsageForm
from dashboards.impact.lighter import lighter_choice
from federation.access.models import ApiKey
from federation.access.queries import issuing_institutions
from federation.people.guards import signed_in
from federation.sheets import streamed, table_lines

LATEST = 20
MOST_KEYS = 50
"""Shown on the page, the most used first; all of them are in the file."""
MOST_DAYS_CHARTED = 100
"""A longer period is charted by month."""
LISTEN_FOR = timedelta(hours=1)
"""How long the page of a new key waits for its first call."""


@require_safe
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    user, form = signed_in(request), _form(request)
    period, asked = form.period, form.asked
    is_monthly = len(period.days) > MOST_DAYS_CHARTED
    chart = usage_chart(
        (usage_by_month if is_monthly else usage_by_day)(asked),
        period.months if is_monthly else period.days,
        of_tokens=form.counts_tokens,
        is_monthly=is_monthly,
    )
    keys = usage_by_key(asked)
    taken = footprints(asked)
    context = {
        "form": form,
        "period": period,
        "totals": totals(asked),
        "may_issue": bool(issuing_institutions(user)),
        "has_keys": ApiKey.objects.for_user(user).exists(),
        "chart": chart,
        "footprint": total(taken),
        "taken": taken,
        "lighter": lighter_choice(taken),
        "keys": keys[:MOST_KEYS],
        "other_keys": max(0, len(keys) - MOST_KEYS),
        "reads_accounts": reads_accounts(user),
        "reads_balance": can_read_balance(user),
        "latest": latest_requests(asked, LATEST),
    }
    return render(request, "dashboards/usage.html", context)


@require_safe
@login_required
def usage_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every request of the chosen period, as it comes from the database."""
    lines = csv_lines(_requests(request), get_language() or "")
    return streamed(lines, _file_name(request, "csv"))


@require_safe
@login_required
def keys_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The sums of every key in the chosen period."""
    form = _form(request)
    keys = usage_by_key(form.asked)
    lines = table_lines(KEY_COLUMNS, map(key_row, keys), get_language() or "")
    return streamed(lines, _file_name(request, "keys.csv"))


@require_safe
@login_required
def days_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The sums of every model on every day of the chosen period."""
    form = _form(request)
    days = usage_by_day(form.asked)
    lines = table_lines(DAY_COLUMNS, map(day_row, days), get_language() or "")
    return streamed(lines, _file_name(request, "days.csv"))


@require_safe
@login_required
def impact_csv(request: HttpRequest) -> StreamingHttpResponse:
    """What each model took of the planet in the chosen period."""
    form = _form(request)
    taken = footprints(form.asked)
    lines = table_lines(MODEL_COLUMNS, map(model_row, taken), get_language() or "")
    return streamed(lines, _file_name(request, "impact.csv"))


@require_safe
@login_required
def usage_jsonl(request: HttpRequest) -> StreamingHttpResponse:
    return streamed(json_lines(_requests(request)), _file_name(request, "jsonl"), JSON_LINES)


@require_safe
@login_required
def usage_xlsx(request: HttpRequest) -> FileResponse | HttpResponse:
    """The same as a workbook; too many requests lead back to the page, which says what else there is."""
    form = _form(request)
    count = totals(form.asked).counts.requests
    if count > MOST_ROWS:
        text = _(
            "A workbook holds up to %(most)s requests, and these are %(count)s: narrow the filters, or "
            "take the CSV."
        )
        said = {"most": number_format(MOST_ROWS), "count": number_format(count)}
        messages.error(request, text % said)
        return redirect(f"{reverse('usage')}?{request.GET.urlencode()}")
    file = workbook(_requests(request))
    return FileResponse(
        file,
        as_attachment=True,
        filename=_file_name(request, "xlsx"),
        content_type=WORKBOOK,
        headers={"Cache-Control": "no-store"},
    )


@require_safe
@login_required
@never_cache
def first_call(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """A part of the page that shows a new key: whether its first call has come, asked again until it has."""
    user = signed_in(request)
    key = get_object_or_404(ApiKey.objects.for_user(user), pk=key_id)
    latest = latest_requests(Asked(user, last_days(2), key=key.pk), 1)
    context = {
        "key": key,
        "call": latest[0] if latest else None,
        "is_over": timezone.now() - key.created_at > LISTEN_FOR,
    }
    return render(request, "dashboards/_first_call.html", context)


def _requests(request: HttpRequest) -> Iterator[Request]:
    form = _form(request)
    return csv_rows(form.asked)


def _file_name(request: HttpRequest, ending: str) -> str:
    period = _form(request).period
    return f"usage_{period.start_day}_{period.end_day}.{ending}"


def _form(request: HttpRequest) -> UsageForm:
    form = UsageForm(request.GET.dict(), user=signed_in(request))
    form.is_valid()  # a choice that cannot be read stays at its default, and the form says so
    return form
