"""Other names of a model: give one, say until when it is answered, take it away."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from federation.catalogue.audience import DAYS, audience_of
from federation.catalogue.forms.life import AliasEndForm, AliasForm
from federation.catalogue.models import Alias
from federation.catalogue.operations.aliases import add_alias, end_alias, end_of, remove_alias
from federation.catalogue.policies import can_write, check_write_catalogue
from federation.catalogue.views import overseen_model, overseer
from federation.members.forms import tell_refusal
from federation.members.views import tell_refused
from federation.seen import SeenField


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def aliases(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The names in force, and a form for another."""
    user, model = overseen_model(request, pk)
    form = AliasForm(request.POST or None)
    if request.method == "POST":
        check_write_catalogue(user)
        if form.is_valid():
            try:
                add_alias(by=user, model=model, name=form.cleaned_data["name"])
            except ValidationError as refusal:
                tell_refusal(form, refusal)
            else:
                messages.success(request, _("The name is answered within a second."))
                return redirect("aliases", pk)
    rows = Alias.objects.for_user(user).in_force().filter(model=model)
    context = {
        "model": model,
        "form": form,
        "aliases": rows.select_related("successor", "model__successor").order_by("name"),
        "may_act": can_write(user),
    }
    return render(request, "catalogue/aliases.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Until when a name is answered, with whom that concerns."""
    user, alias = overseer(request), _seen(request, pk)
    check_write_catalogue(user)
    initial = {"sunset": alias.sunset, "successor": alias.successor}
    form = AliasEndForm(request.POST or None, by=user, model=alias.model, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            given = {name: form.cleaned_data[name] for name in ("sunset", "successor")}
            end_alias(by=user, alias=alias, seen=request.POST.get("seen", ""), **given)
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            told = _("It is in force. Its users are told by e-mail.")
            messages.success(
                request, told if given["sunset"] else _("It is in force: the name stays.")
            )
            return redirect("aliases", alias.model_id)
    context = {
        "alias": alias,
        "seen": request.POST.get("seen", SeenField(end_of(alias)).initial),
        "form": form,
        "audience": audience_of(alias.model, alias.name),
        "days": DAYS,
    }
    return render(request, "catalogue/end_alias.html", context)


@require_POST
@login_required
def remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    user, alias = overseer(request), _seen(request, pk)
    try:
        remove_alias(by=user, alias=alias)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("The name is taken away: requests for it are refused."))
    return redirect("aliases", alias.model_id)


def _seen(request: HttpRequest, pk: UUID) -> Alias:
    rows = Alias.objects.for_user(overseer(request)).in_force()
    return get_object_or_404(rows.select_related("model", "successor"), pk=pk)
