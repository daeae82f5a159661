"""A critical model's minimum service: what it is, how it changed, when it was missing; and to change it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.catalogue.forms.minimum import MinimumForm, SeenForm
from federation.catalogue.models import AIModel, MinimumService
from federation.catalogue.policies import can_set_minimum, check_set_minimum
from federation.people.guards import signed_in

SHOWN = 50
"""Versions and episodes, the newest first."""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def minimum_service(request: HttpRequest, name: str) -> HttpResponse:
    """For the federation: administrators change the minimum or give it up, auditors read it."""
    user = signed_in(request)
    if not user.sees_everything:
        raise PermissionDenied
    model = get_object_or_404(AIModel.objects.for_user(user), slug=name)
    minimum = MinimumService.objects.select_related("fallback").current_of(model)
    gives_up = request.POST.get("act") == "give_up"
    form = MinimumForm(None if gives_up else request.POST or None, minimum=minimum, by=user)
    leaving = SeenForm(request.POST if gives_up else None, minimum=minimum)
    if request.method == "POST":
        check_set_minimum(user, model)
        asked = leaving if gives_up else form
        if asked.is_valid() and (made := asked.save(user)):
            _say(request, made, minimum)
            return redirect("minimum_service", name=model.slug)
    context = {
        "model": model,
        "minimum": minimum,
        "form": form,
        "leaving": leaving,
        "may_change": can_set_minimum(user, model),
        "history": model.minimum_services.select_related("set_by", "fallback").order_by("-number")[
            :SHOWN
        ],
        "alarms": model.minimum_alarms.order_by("-began_at")[:SHOWN],
    }
    return render(request, "catalogue/minimum.html", context)


def _say(request: HttpRequest, made: MinimumService, before: MinimumService) -> None:
    if made.number == before.number:
        messages.info(request, _("This is the minimum already: nothing was changed."))
    elif made.is_critical:
        text = _("Version %(number)s is in force within a second.")
        messages.success(request, text % {"number": made.number})
    else:
        messages.success(request, _("The model is no longer critical."))
