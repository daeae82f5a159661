"""How requests for a model are shared out: its settings, what they mean, how they changed; and to change them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.catalogue.forms.routing import RoutingForm
from federation.catalogue.models import AIModel, RoutingPolicy
from federation.catalogue.policies import can_set_routing, check_set_routing
from federation.people.guards import signed_in

HISTORY = 50
"""Versions shown, the newest first."""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def routing(request: HttpRequest, name: str) -> HttpResponse:
    """For the federation: administrators change the settings, auditors read them."""
    user = signed_in(request)
    if not user.sees_everything:
        raise PermissionDenied
    model = get_object_or_404(AIModel.objects.for_user(user), slug=name)
    policy = RoutingPolicy.objects.current_of(model)
    form = RoutingForm(request.POST or None, policy=policy)
    if request.method == "POST":
        check_set_routing(user, model)
        if form.is_valid() and (made := form.save(user)):
            _say(request, made, policy)
            return redirect("routing", name=model.slug)
    context = {
        "model": model,
        "policy": policy,
        "form": form,
        "may_change": can_set_routing(user, model),
        "history": model.routing_policies.select_related("set_by").order_by("-number")[:HISTORY],
    }
    return render(request, "catalogue/routing.html", context)


def _say(request: HttpRequest, made: RoutingPolicy, before: RoutingPolicy) -> None:
    if made.number == before.number:
        messages.info(request, _("These are the settings already: nothing was changed."))
    else:
        text = _("Version %(number)s is in force within a second.")
        messages.success(request, text % {"number": made.number})
