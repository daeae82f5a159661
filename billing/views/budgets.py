"""Budgets: how they stand, and forms to set, change and end them."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.budgeting.requests import requests_seen, requests_to_decide
from billing.budgeting.standing import shown, stand
from billing.forms.budgets import BudgetForm, ChangeForm, owners
from billing.models import Budget, BudgetQuerySet
from billing.operations.budgets import end_budget
from billing.policies import can_ask_for_more, can_change_budget, check_change_budget
from federation.access.models import ApiKey, Application
from federation.people.guards import signed_in


@require_safe
@login_required
def budgets(request: HttpRequest) -> HttpResponse:
    """Those that bound the reader's keys, applications and institutions, the most used first."""
    user = signed_in(request)
    context = {
        "budgets": shown(user),
        "may_set": bool(list(owners(user))),
        "to_decide": len(requests_to_decide(user)),
        "has_requests": requests_seen(user).exists(),
    }
    return render(request, "billing/budgets.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_budget(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    if not list(owners(user)):
        raise PermissionDenied
    form = BudgetForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid() and (budget := form.save(user)):
        messages.success(request, _("The budget is set; the router goes by it within a second."))
        return redirect("budget", budget_id=budget.pk)
    return render(request, "billing/new_budget.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def budget(request: HttpRequest, budget_id: UUID) -> HttpResponse:
    """One budget, to whom it bounds; and to who sets it, the form to change it."""
    user = signed_in(request)
    row = get_object_or_404(Budget.objects.for_user(user).select_related("set_by"), pk=budget_id)
    form = ChangeForm(request.POST or None, budget=row)
    if request.method == "POST":
        check_change_budget(user, row)
        if form.is_valid() and form.save(user):
            messages.success(request, _("The budget is changed."))
            return redirect("budget", budget_id=row.pk)
    context = {
        "shown": stand([row])[0],
        "form": form,
        "may_set": row.ended_at is None and can_change_budget(user, row),
        "may_ask": row.ended_at is None and can_ask_for_more(user, row),
        "asked": requests_seen(user).filter(budget=row)[:20],
        "is_asked": row.requests.open().exists(),
        "alerts": row.alerts.order_by("-told_at", "-threshold")[:20],
    }
    return render(request, "billing/budget.html", context)


@require_POST
@login_required
def stop_budget(request: HttpRequest, budget_id: UUID) -> HttpResponse:
    user = signed_in(request)
    row = get_object_or_404(Budget.objects.for_user(user), pk=budget_id)
    try:
        end_budget(by=user, budget=row)
        messages.success(request, _("The budget has ended: it bounds nothing any more."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("budget", budget_id=row.pk)


@require_safe
@login_required
def of_key(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """What bounds a key: a part of its page."""
    user = signed_in(request)
    key = get_object_or_404(ApiKey.objects.for_user(user).select_related("application"), pk=key_id)
    return _bounding(request, Budget.objects.for_user(user).bounding(key.application, key))


@require_safe
@login_required
def of_application(request: HttpRequest, application_id: UUID) -> HttpResponse:
    """What bounds all keys of an application: a part of its page."""
    user = signed_in(request)
    application = get_object_or_404(Application.objects.for_user(user), pk=application_id)
    return _bounding(request, Budget.objects.for_user(user).bounding(application))


def _bounding(request: HttpRequest, budgets: BudgetQuerySet) -> HttpResponse:
    user = signed_in(request)
    rows = [(each, can_ask_for_more(user, each.budget)) for each in shown(user, budgets)]
    return render(request, "billing/_bounding.html", {"rows": rows})
