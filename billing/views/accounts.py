"""Who owes what: each institution's side of the ledger, its transfers, grants and reversals."""

from datetime import date

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.forms.accounts import GrantForm, MonthForm, ReversalForm
from billing.ledger.accounts import federation_accounts, holdings, months, reads_accounts
from billing.models import ACCOUNTANTS, Transfer
from billing.policies import can_keep_accounts, check_keep_accounts
from federation.members.models import Institution
from federation.people.guards import signed_in
from federation.people.models import User

PAGE = 50
MOST_SHOWN = 10_000
"""Transfers, the newest first: beyond that a month is chosen, or the file read, rather than page after page counted."""


@require_safe
@login_required
def accounts(request: HttpRequest) -> HttpResponse:
    """To who reads the accounts of an institution, or of all."""
    user = accountant(request)
    form = MonthForm(request.GET.dict(), months=months(user))
    month = form.chosen
    context = {
        "form": form,
        "month": month,
        "holdings": holdings(user, month),
        "common": federation_accounts(user, month),
        "may_keep": can_keep_accounts(user),
        "own": Institution.objects.for_user(user)
        .filter(pk__in=user.institution_ids(*ACCOUNTANTS))
        .order_by("name"),
    }
    return render(request, "billing/accounts.html", context)


@require_safe
@login_required
def transfers(request: HttpRequest) -> HttpResponse:
    """The transfers that touch an account that the reader sees, the newest first."""
    user = accountant(request)
    form = MonthForm(request.GET.dict(), months=months(user))
    related = ("debit__institution", "credit__institution", "reversal", "reverses")
    shown = transfers_seen(user, form.chosen).select_related(*related)
    shown = shown.order_by("-created_at", "-pk")[:MOST_SHOWN]
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "most_shown": MOST_SHOWN if page.paginator.count == MOST_SHOWN else None,
        "may_keep": can_keep_accounts(user),
    }
    return render(request, "billing/transfers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def grant(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_keep_accounts(user)
    form = GrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and form.save(user):
        institution = form.cleaned_data["institution"]
        text = _("%(institution)s has its grant: it is used up before anything is to be paid.")
        messages.success(request, text % {"institution": institution.name})
        return redirect("accounts")
    return render(request, "billing/grant.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def reverse_transfer(request: HttpRequest, transfer_id: str) -> HttpResponse:
    user = signed_in(request)
    check_keep_accounts(user)
    related = ("debit__institution", "credit__institution", "reversal")
    visible = Transfer.objects.for_user(user).select_related(*related)
    transfer = get_object_or_404(visible, pk=transfer_id)
    if hasattr(transfer, "reversal"):
        messages.warning(request, _("It is taken back already."))
        return redirect("transfers")
    form = ReversalForm(request.POST or None, transfer=transfer)
    if request.method == "POST" and form.is_valid() and form.save(user):
        messages.success(request, _("It is taken back. Both transfers stay in the ledger."))
        return redirect("transfers")
    return render(request, "billing/reverse.html", {"form": form, "transfer": transfer})


def transfers_seen(user: User, month: date | None) -> QuerySet[Transfer]:
    """Return what touches an account that `user` sees, in a month or ever."""
    seen = Transfer.objects.for_user(user)
    return seen.filter(booked_month=month) if month else seen


def accountant(request: HttpRequest) -> User:
    """Return who asks, when there are accounts that they may read."""
    user = signed_in(request)
    if not reads_accounts(user):
        raise PermissionDenied
    return user
