"""My usage: totals, one chart with the same numbers as a table, keys, latest requests, and all of it as CSV."""

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.periods import last_days
from billing.queries import csv_rows, latest_requests, totals, usage_by_day, usage_by_key
from dashboards.exports import csv_lines, csv_response
from dashboards.figures.usage import usage_chart
from dashboards.forms import UsageForm
from federation.access.models import ApiKey
from federation.access.queries import issuing_institutions
from federation.people.guards import signed_in

LATEST = 20
LISTEN_FOR = timedelta(hours=1)
"""How long the page of a new key waits for its first call."""


@require_safe
@login_required
def usage(request: HttpRequest) -> HttpResponse:
    user, form = signed_in(request), _form(request)
    period, narrow = form.period, form.narrowing
    chart = usage_chart(
        usage_by_day(user, period, **narrow),
        period.days,
        of_tokens=form.counts_tokens,
    )
    context = {
        "form": form,
        "period": period,
        "totals": totals(user, period, **narrow),
        "may_issue": bool(issuing_institutions(user)),
        "has_keys": ApiKey.objects.for_user(user).exists(),
        "chart": chart,
        "keys": usage_by_key(user, period, **narrow),
        "latest": latest_requests(user, period, LATEST, **narrow),
    }
    return render(request, "dashboards/usage.html", context)


@require_safe
@login_required
def usage_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every request of the chosen period, as it comes from the database."""
    form = _form(request)
    period = form.period
    requests = csv_rows(signed_in(request), period, **form.narrowing)
    lines = csv_lines(requests, get_language() or "")
    name = f"usage_{period.start_day}_{period.end_day}.csv"
    return csv_response(lines, name)


@require_safe
@login_required
@never_cache
def first_call(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """A part of the page that shows a new key: whether its first call has come, asked again until it has."""
    user = signed_in(request)
    key = get_object_or_404(ApiKey.objects.for_user(user), pk=key_id)
    latest = latest_requests(user, last_days(2), 1, key=key.pk)
    context = {
        "key": key,
        "call": latest[0] if latest else None,
        "is_over": timezone.now() - key.created_at > LISTEN_FOR,
    }
    return render(request, "dashboards/_first_call.html", context)


def _form(request: HttpRequest) -> UsageForm:
    form = UsageForm(request.GET.dict(), user=signed_in(request))
    form.is_valid()  # a choice that cannot be read stays at its default, and the form says so
    return form
