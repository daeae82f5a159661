"""Statements: the months, one month's statements, and one institution's, as a page and as files."""

from datetime import date
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing import statement_files
from billing.accounts import months
from billing.enums import PeriodState
from billing.invoicing.statement import asks_for_something, missing
from billing.models import (
    ACCOUNTANTS,
    AccountingPeriod,
    Invoice,
    Statement,
    reads_all_accounts,
)
from billing.operations.months import close_month, draft_month
from billing.periods import paris_today
from billing.policies import can_keep_accounts, can_tell_invoicing
from billing.statements import Draft, draft_of, drafts, kept
from billing.views.accounts import accountant
from federation.members.models import Institution
from federation.people.guards import freshly_confirmed, signed_in
from federation.people.models import User

TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def is_over(month: date) -> bool:
    return month < paris_today().replace(day=1)


class Month(NamedTuple):
    month: date
    state: PeriodState
    is_over: bool


@require_safe
@login_required
def statements(request: HttpRequest) -> HttpResponse:
    user = accountant(request)
    states = dict(AccountingPeriod.objects.for_user(user).values_list("month", "state"))
    shown = [
        Month(month, PeriodState(states.get(month, PeriodState.OPEN)), is_over(month))
        for month in months(user)
    ]
    return render(request, "billing/statements.html", {"months": shown})


@require_safe
@login_required
def month_statements(request: HttpRequest, month: date) -> HttpResponse:
    """Everybody's statement of a month that the reader may see."""
    user = accountant(request)
    period = period_of(month)
    context = {
        "month": month,
        "period": period,
        "drafts": [draft for draft in of_month(month) if may_read(user, draft.institution)],
        "may_keep": can_keep_accounts(user),
        "is_over": is_over(month),
    }
    return render(request, "billing/month.html", context)


@require_POST
@login_required
@freshly_confirmed
def move_month(request: HttpRequest, month: date, step: str) -> HttpResponse:
    """Draft or close a month."""
    user = signed_in(request)
    try:
        if step == "draft":
            draft_month(by=user, month=month)
            messages.success(
                request, _("The month is in draft: everybody may read their statement.")
            )
        else:
            close_month(by=user, month=month)
            messages.success(request, _("The month is closed. Nothing of it changes any more."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("month_statements", month)


@require_safe
@login_required
def statement(request: HttpRequest, month: date, slug: str) -> HttpResponse:
    draft = _asked(request, month, slug)
    user, institution = signed_in(request), draft.institution
    context = {
        "month": month,
        "period": period_of(month),
        "draft": draft,
        "invoice": Invoice.objects.for_user(user)
        .filter(statement__period__month=month, statement__institution=institution)
        .defer("content")
        .first(),
        "is_due": asks_for_something(draft),
        "missing": missing(institution),
        "may_keep": can_keep_accounts(user),
        "may_tell": can_tell_invoicing(user, institution),
    }
    return render(request, "billing/statement.html", context)


@require_safe
@login_required
def statement_file(request: HttpRequest, month: date, slug: str, ending: str) -> HttpResponse:
    draft = _asked(request, month, slug)
    language = get_language() or ""
    match ending:
        case "pdf":
            is_draft = period_of(month).state != PeriodState.CLOSED
            content = statement_files.pdf(draft, month, is_draft=is_draft, language=language)
        case "xlsx":
            content = statement_files.workbook(draft)
        case _:
            content = statement_files.csv(draft, language)
    name = f"{slug}_{month:%Y-%m}.{ending}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return HttpResponse(content, content_type=TYPES[ending], headers=headers)


def period_of(month: date) -> AccountingPeriod:
    """Return the month's row, or what it would be: a month of which nobody has said anything is open."""
    return AccountingPeriod.objects.filter(month=month).first() or AccountingPeriod(month=month)


def of_month(month: date) -> list[Draft]:
    closed = Statement.objects.filter(period__month=month).select_related("institution")
    if period_of(month).state == PeriodState.CLOSED:
        return [kept(each) for each in closed.order_by("institution__name")]
    return drafts(month)


def may_read(user: User, institution: Institution) -> bool:
    return reads_all_accounts(user) or institution.pk in user.institution_ids(*ACCOUNTANTS)


def _asked(request: HttpRequest, month: date, slug: str) -> Draft:
    """Return the statement asked for, closed or as it stands. Raises 404 on one that the reader may not see."""
    user = signed_in(request)
    institution = get_object_or_404(Institution, slug=slug)
    if not may_read(user, institution):
        raise Http404
    closed = Statement.objects.for_user(user).filter(period__month=month, institution=institution)
    if found := closed.first():
        return kept(found)
    return draft_of(institution, month)
