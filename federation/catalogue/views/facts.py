"""The card of a model, to be written by the federation's administrators."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from federation.catalogue.forms.facts import FactsForm
from federation.catalogue.models import AIModel
from federation.catalogue.policies import can_describe
from federation.people.guards import signed_in
from federation.people.policies import is_federation_admin


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def facts(request: HttpRequest, name: str) -> HttpResponse:
    user = signed_in(request)
    if not is_federation_admin(user):
        raise PermissionDenied
    model = get_object_or_404(AIModel.objects.for_user(user), slug=name)
    if not can_describe(user, model):
        messages.info(request, _("This model is retired: its last card stands."))
        return redirect("model", name=model.slug)
    form = FactsForm(request.POST or None, model=model)
    if request.method == "POST" and form.is_valid() and form.save(user):
        messages.success(request, _("The card is changed."))
        return redirect("model", name=model.slug)
    return render(request, "catalogue/facts.html", {"model": model, "form": form})
