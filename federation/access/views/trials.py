"""Which keys may ask a model that is on trial: the list, and a search for others to name."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from federation.access.models import Trial
from federation.access.policies import can_end_trial, check_see_trials
from federation.access.queries import keys_to_try
from federation.access.trials import end_trial, name_for_trial
from federation.access.upkeep_forms import TrialSearchForm
from federation.catalogue.models import AIModel
from federation.members.views import tell_refused
from federation.people.guards import signed_in
from federation.people.models import User
from routing.core.enums import LifecycleStage

MOST_FOUND = 20
"""Keys offered at once; a search narrows them."""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def trials(request: HttpRequest, model_id: UUID) -> HttpResponse:
    user, model = _reader_of(request, model_id)
    if request.method == "POST":
        _name(request, user, model)
        return redirect(request.get_full_path())
    search = TrialSearchForm(request.GET)
    text = search.cleaned_data["text"] if search.is_valid() else ""
    named = Trial.objects.for_user(user).in_force().filter(model=model)
    rows = named.select_related("key__application__institution", "named_by").order_by("created_at")
    found = list(keys_to_try(user, model, text)[: MOST_FOUND + 1])
    is_open = model.stage == LifecycleStage.STAGING
    context = {
        "model": model,
        "is_open": is_open,
        "trials": [(row, can_end_trial(user, row)) for row in rows],
        "search": search,
        "found": found[:MOST_FOUND] if is_open else [],
        "has_more": len(found) > MOST_FOUND,
    }
    return render(request, "access/trials.html", context)


@require_POST
@login_required
def end(request: HttpRequest, model_id: UUID, trial_id: UUID) -> HttpResponse:
    user, model = _reader_of(request, model_id)
    rows = Trial.objects.for_user(user).in_force().filter(model=model)
    trial = get_object_or_404(rows.select_related("key__application"), pk=trial_id)
    try:
        end_trial(by=user, trial=trial)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        text = _("The key “%(key)s” may not ask the model any more.")
        messages.success(request, text % {"key": trial.key.name})
    return redirect("trials", model_id)


def _name(request: HttpRequest, user: User, model: AIModel) -> None:
    keys = keys_to_try(user, model, "")
    try:
        key = get_object_or_404(keys, pk=UUID(request.POST.get("key", "")))
        name_for_trial(by=user, model=model, key=key)
    except ValueError:
        messages.error(request, _("This is not a key."))
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        text = _("The key “%(key)s” may ask the model within a second.")
        messages.success(request, text % {"key": key.name})


def _reader_of(request: HttpRequest, model_id: UUID) -> tuple[User, AIModel]:
    user = signed_in(request)
    model = get_object_or_404(AIModel.objects.for_user(user), pk=model_id)
    check_see_trials(user, model)
    return user, model
