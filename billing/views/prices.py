"""The price list, one model's prices with their history, and the federation's fee."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.forms.prices import FeeForm, PriceForm
from billing.ledger.prices import fee_for, fees_in_force, price_list, price_of, singles_sold
from billing.models import FeeVersion, PriceVersion
from billing.operations.prices import withdraw_fee, withdraw_price
from billing.policies import can_keep_accounts, check_keep_accounts
from federation.catalogue.models import AIModel
from federation.people.guards import signed_in

SHOWN = 50
"""Versions, the newest first."""


@require_safe
@login_required
def prices(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    priced = price_list(user)
    context = {
        "priced": priced,
        "singles": singles_sold(row.price for row in priced),
        "fee": fee_for(user),
        "may_set": can_keep_accounts(user),
    }
    return render(request, "billing/prices.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def price(request: HttpRequest, name: str) -> HttpResponse:
    """One model's prices, to every member; and to whoever keeps the accounts, a form for the next."""
    user = signed_in(request)
    model = get_object_or_404(AIModel.objects.for_user(user), slug=name)
    versions = PriceVersion.objects.for_user(user).filter(model=model).select_related("set_by")
    history = list(versions[:SHOWN])
    form = PriceForm(request.POST or None, model=model, last=history[0] if history else None)
    if request.method == "POST":
        check_keep_accounts(user)
        if form.is_valid() and form.save(user):
            messages.success(request, _("The price is announced. Nothing that is past changes."))
            return redirect("price", name=model.slug)
    present = price_of(model)
    context = {
        "model": model,
        "form": form,
        "history": history,
        "singles": singles_sold(history),
        "in_force": {present.pk} if present else set(),
        "take_back": "take_price_back",
        "may_set": can_keep_accounts(user),
    }
    return render(request, "billing/price.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def fees(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = FeeForm(request.POST or None)
    if request.method == "POST":
        check_keep_accounts(user)
        if form.is_valid() and form.save(user):
            messages.success(request, _("The fee is announced. Nothing that is past changes."))
            return redirect("fees")
    context = {
        "form": form,
        "in_force": {fee.pk for fee in fees_in_force(user).values()},
        "history": FeeVersion.objects.for_user(user).select_related("institution", "set_by")[
            :SHOWN
        ],
        "take_back": "take_fee_back",
        "may_set": can_keep_accounts(user),
    }
    return render(request, "billing/fees.html", context)


@require_POST
@login_required
def take_price_back(request: HttpRequest, price_id: str) -> HttpResponse:
    user = signed_in(request)
    version = get_object_or_404(
        PriceVersion.objects.for_user(user).select_related("model"), pk=price_id
    )
    try:
        withdraw_price(by=user, price=version)
        messages.success(request, _("The price is taken back before it began."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("price", name=version.model.slug)


@require_POST
@login_required
def take_fee_back(request: HttpRequest, fee_id: str) -> HttpResponse:
    user = signed_in(request)
    version = get_object_or_404(FeeVersion.objects.for_user(user), pk=fee_id)
    try:
        withdraw_fee(by=user, fee=version)
        messages.success(request, _("The fee is taken back before it began."))
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("fees")
