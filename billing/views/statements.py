"""Statements: the months, one month's statements, and one institution's, as a page and as files."""

from datetime import date
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.enums import PeriodState
from billing.invoicing.prospects import prospect_of
from billing.ledger.accounts import months
from billing.models import (
    ACCOUNTANTS,
    AccountingPeriod,
    Contest,
    Note,
    Statement,
    reads_all_accounts,
)
from billing.operations.entries import is_settled
from billing.operations.months import close_month, draft_month
from billing.periods import paris_today
from billing.policies import can_keep_accounts, can_speak_for, can_tell_invoicing
from billing.statements.document import of_draft, of_statement
from billing.statements.standing import TACIT_DAYS, standing_of, standings
from billing.statements.statement import Draft, draft_of, drafts, kept, keys_of
from billing.views.accounts import accountant
from billing.views.files import document_file
from federation.members.models import Institution
from federation.people.guards import freshly_confirmed, signed_in
from federation.people.models import User


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
    drafts_read = of_month(user, month)
    context = {
        "month": month,
        "period": period,
        "drafts": list(zip(drafts_read, standings(period, drafts_read), strict=True)),
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
    """One institution's, with what was said to it and what corrects it."""
    user = signed_in(request)
    draft, row = _asked(request, month, slug)
    period, institution = period_of(month), draft.institution
    contests = Contest.objects.for_user(user).filter(month=month, institution=institution)
    waiting = set(contests.waiting().values_list("line_key", flat=True))
    keys = keys_of(draft.lines)
    notes = Note.objects.for_user(user).filter(statement=row) if row else Note.objects.none()
    context = {
        "month": month,
        "period": period,
        "draft": draft,
        "statement": row,
        "standing": standing_of(period, draft),
        "lines": [(line, key, key in waiting) for line, key in zip(draft.lines, keys, strict=True)],
        "contests": contests.select_related("made_by", "answered_by"),
        "notes": notes.with_invoices(),
        "prospect": prospect_of(row) if row else None,
        "may_keep": can_keep_accounts(user),
        "may_tell": can_tell_invoicing(user, institution),
        "may_speak": can_speak_for(user, institution),
        "is_settled": is_settled(month),
        "days": TACIT_DAYS,
    }
    return render(request, "billing/statement.html", context)


@require_safe
@login_required
def statement_file(request: HttpRequest, month: date, slug: str, ending: str) -> HttpResponse:
    draft, row = _asked(request, month, slug)
    document = of_statement(row) if row else of_draft(draft, month)
    return document_file(document, ending, f"{slug}_{month:%Y-%m}")


def period_of(month: date) -> AccountingPeriod:
    """Return the month's row, or what it would be: a month of which nobody has said anything is open."""
    return AccountingPeriod.objects.filter(month=month).first() or AccountingPeriod(month=month)


def of_month(user: User, month: date) -> list[Draft]:
    """Return everybody's statement of a month that the reader may see, by name. A constant number of queries."""
    if period_of(month).state != PeriodState.CLOSED:
        return [draft for draft in drafts(month) if may_read(user, draft.institution)]
    closed = Statement.objects.for_user(user).filter(period_id=month)
    related = closed.select_related("institution").prefetch_related("lines")
    return [kept(each) for each in related.order_by("institution__name", "institution_id")]


def may_read(user: User, institution: Institution) -> bool:
    return reads_all_accounts(user) or institution.pk in user.institution_ids(*ACCOUNTANTS)


def institution_asked(user: User, slug: str) -> Institution:
    """Return the institution. Raises 404 where the reader may not see its accounts."""
    institution = get_object_or_404(Institution, slug=slug)
    if not may_read(user, institution):
        raise Http404
    return institution


def _asked(request: HttpRequest, month: date, slug: str) -> tuple[Draft, Statement | None]:
    """Return the statement asked for, and its row once it is closed. Raises 404 on one that the reader may not see."""
    user = signed_in(request)
    institution = institution_asked(user, slug)
    closed = Statement.objects.for_user(user).filter(period__month=month, institution=institution)
    row = closed.select_related("period", "institution").first()
    return (kept(row) if row else draft_of(institution, month)), row
