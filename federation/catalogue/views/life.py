"""The life of one model, for the federation: what it needs, what can be done now, what was done. Auditors read it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from federation.catalogue.audience import DAYS, audience_of
from federation.catalogue.forms.life import DeprecationForm, ModelReasonForm
from federation.catalogue.models import (
    AIModel,
    Alias,
    Announcement,
    MinimumService,
    Proposal,
    StageChange,
)
from federation.catalogue.operations.life import (
    change_deprecation,
    deprecate_model,
    put_into_production,
    restore_model,
    retire_model,
)
from federation.catalogue.operations.proposals import adopt_model
from federation.catalogue.policies import (
    can_put_to_the_committee,
    can_write,
    check_write_catalogue,
)
from federation.catalogue.readiness import points_of
from federation.catalogue.views import overseen_model
from federation.members.enums import BallotState, SubjectKind
from federation.members.forms import tell_refusal
from federation.members.forms.committee import BallotForm
from federation.members.models import Ballot
from federation.members.operations.ballots import open_ballot
from federation.members.views import tell_refused
from routing.core.enums import LifecycleStage

Act = Callable[..., AIModel]
GET_AND_POST = ["GET", "HEAD", "POST"]


@require_safe
@login_required
def life(request: HttpRequest, pk: UUID) -> HttpResponse:
    user, model = overseen_model(request, pk)
    ballots = Ballot.objects.for_user(user).about(SubjectKind.MODEL, pk)
    points = points_of(model) if model.stage == LifecycleStage.STAGING else []
    announcements = Announcement.objects.for_user(user).filter(model=model)
    proposals = Proposal.objects.for_user(user).filter(model=model)
    context = {
        "model": model,
        "may_act": can_write(user),
        "points": points,
        "is_ready": all(point.is_met for point in points if point.is_needed),
        "proposals": proposals.select_related("model", "proposed_by", "institution"),
        "ballots": ballots,
        "open_ballot": ballots.filter(state=BallotState.OPEN).first(),
        "to_vote": can_put_to_the_committee(model),
        "is_due": model.retires_on is not None and model.retires_on <= timezone.localdate(),
        "history": StageChange.objects.for_user(user)
        .filter(model=model)
        .select_related("decided_by", "ballot"),
        "announcements": announcements.select_related("alias").annotate(
            people=Count("notices"), sent=Count("notices", filter=Q(notices__sent_at__isnull=False))
        ),
        "aliases": Alias.objects.for_user(user).in_force().filter(model=model),
    }
    return render(request, "catalogue/life.html", context)


@require_http_methods(GET_AND_POST)
@login_required
def put_to_the_vote(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Open a ballot about a proposed model."""
    user, model = overseen_model(request, pk)
    check_write_catalogue(user)
    form = BallotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ballot = open_ballot(
                by=user,
                kind=SubjectKind.MODEL,
                subject_id=model.pk,
                closes_at=form.cleaned_data["closes_on"],
            )
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            return redirect("ballot", ballot.pk)
    text = _(
        "Every federation administrator is asked by e-mail. At least half of them have to vote; more yes than "
        "no takes the model on trial."
    )
    return _step(request, model, form, _("Put it to the vote"), text, _("Open the ballot"))


@require_http_methods(GET_AND_POST)
@login_required
def adopt(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a model on trial by a decision made elsewhere."""
    text = _(
        "For a committee that has decided in a meeting: say in which one, and what the minutes hold. Without "
        "such a decision, put the model to the vote."
    )
    return _with_reason(
        request,
        pk,
        adopt_model,
        _("Record the committee’s decision"),
        text,
        _("Take %(name)s on trial"),
    )


@require_POST
@login_required
def produce(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Offer a model to every key."""
    user, model = overseen_model(request, pk)
    try:
        put_into_production(by=user, model=model)
    except ValidationError as refusal:
        tell_refused(request, refusal)
    else:
        messages.success(request, _("It is in production: every key may use it within a second."))
    return redirect("model_life", pk)


@require_http_methods(GET_AND_POST)
@login_required
def deprecate(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say until when a model is offered, or change that; beside it whom it concerns."""
    user, model = overseen_model(request, pk)
    check_write_catalogue(user)
    form = DeprecationForm(request.POST or None, by=user, model=model)
    is_change = model.stage == LifecycleStage.DEPRECATED
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        end = {name: given[name] for name in ("retires_on", "successor", "note_fr", "note_en")}
        try:
            if is_change:
                change_deprecation(by=user, model=model, seen=given["seen"], **end)
            else:
                deprecate_model(by=user, model=model, **end)
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("It is in force. Its users are told by e-mail."))
            return redirect("model_life", pk)
    context = {
        "model": model,
        "form": form,
        "is_change": is_change,
        "minimum": MinimumService.objects.current_of(model),
        "audience": audience_of(model),
        "days": DAYS,
        "reminder": timedelta(days=7).days,
    }
    return render(request, "catalogue/deprecate.html", context)


@require_http_methods(GET_AND_POST)
@login_required
def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have a deprecated model stay."""
    text = _(
        "It is in production again, without a date. The people who use it are told that it stays."
    )
    title = _("Keep %(name)s in production")
    return _with_reason(request, pk, restore_model, title, text, title)


@require_http_methods(GET_AND_POST)
@login_required
def retire(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Offer a model no more. One whose date has come needs no reason."""
    text = _(
        "Requests for it are refused within a second. For good: its name is not given to another model, and "
        "it does not come back into the catalogue."
    )
    title = _("Retire %(name)s for good")
    return _with_reason(request, pk, retire_model, title, text, title, is_end=True)


def _with_reason(
    request: HttpRequest,
    pk: UUID,
    act: Act,
    title: str,
    text: str,
    button: str,
    *,
    is_end: bool = False,
) -> HttpResponse:
    user, model = overseen_model(request, pk)
    check_write_catalogue(user)
    was_announced = is_end and model.stage == LifecycleStage.DEPRECATED
    form = ModelReasonForm(request.POST or None, is_needed=not was_announced)
    if request.method == "POST" and form.is_valid():
        try:
            act(by=user, model=model, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("It is in force."))
            return redirect("model_life", pk)
    named = {"name": model.display_name}
    return _step(request, model, form, title % named, text, button % named, is_grave=is_end)


def _step(
    request: HttpRequest,
    model: AIModel,
    form: forms.Form,
    title: str,
    text: str,
    button: str,
    *,
    is_grave: bool = False,
) -> HttpResponse:
    context = {
        "model": model,
        "form": form,
        "step_title": title,
        "text": text,
        "button": button,
        "is_grave": is_grave,
    }
    return render(request, "catalogue/step.html", context)
