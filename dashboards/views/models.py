"""The catalogue: every model one may ask for, who serves it, how busy it is, and how to call it."""

import re

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.ledger.prices import price_of
from dashboards.catalogue import CatalogueForm
from dashboards.comparison import comparison
from dashboards.critical import critical_models
from dashboards.impact.lighter import lighter_than, taken_recently
from dashboards.observed import ServerRow, health_texts, is_stopped, observed
from dashboards.queries import ModelCard, Serving, model_card, model_cards, other_names
from federation.access.policies import can_see_trials
from federation.access.snippets import base_url, snippets, usual_endpoint
from federation.catalogue.enums import SETTING_TEXTS
from federation.catalogue.models import PUBLIC_NAME, AIModel, Alias, RoutingPolicy, StageChange
from federation.catalogue.models.names import OPEN_TO_ALL
from federation.catalogue.policies import can_describe
from federation.people.guards import signed_in
from federation.people.models import User
from routing.bridge.load import current_load
from routing.core.enums import LifecycleStage
from routing.dispatch.frames import Load
from routing.dispatch.messages import ModelLoad


@require_safe
@login_required
def models(request: HttpRequest) -> HttpResponse:
    user, load = signed_in(request), current_load()
    catalogue = model_cards(user)
    form = CatalogueForm(request.GET.dict(), catalogue=catalogue, names=other_names(user))
    form.is_valid()  # a choice that cannot be read is left out, and the form says so
    context = {
        "form": form,
        "cards": [(card, _load_of(card.model, load)) for card in _proposed_last(form.chosen)],
        "all": len(catalogue),
        "critical_ids": {each.model.pk for each in critical_models(user, load)},
        "router_is_away": load is None,
    }
    return render(request, "dashboards/models.html", context)


@require_safe
@login_required
def model(request: HttpRequest, name: str) -> HttpResponse:
    """One model, under its public name; an alias or another case leads there."""
    user = signed_in(request)
    found = _named(name, user)
    if found.slug != name:
        return redirect("model", name=found.slug, permanent=False)
    load = current_load()
    policy = RoutingPolicy.objects.for_user(user).current_of(found)
    card = model_card(user, found)
    recent = taken_recently()
    context = {
        "card": card,
        "price": price_of(found),
        "by_token": recent[found.pk].kwh_per_thousand if found.pk in recent else None,
        "lighter": lighter_than(found, recent),
        "rows": _rows(card, load),
        "may_describe": can_describe(user, found),
        "health_texts": health_texts(),
        "critical": next(
            (each for each in critical_models(user, load) if each.model == found), None
        ),
        "stands_in_for": AIModel.objects.for_user(user).relying_on(found),
        "policy": policy,
        "setting_text": SETTING_TEXTS[policy.setting],
        "load": _load_of(found, load),
        "router_is_away": load is None,
        "aliases": Alias.objects.for_user(user)
        .in_force()
        .filter(model=found)
        .select_related("successor"),
        "history": StageChange.objects.for_user(user)
        .filter(model=found)
        .select_related("decided_by", "ballot"),
        "may_see_trials": found.stage == LifecycleStage.STAGING and can_see_trials(user, found),
        "is_callable": _is_callable(card),
        "base_url": base_url(),
        "snippets": snippets(found.slug, usual_endpoint(found.capabilities), _("YOUR_KEY")),
    }
    return render(request, "dashboards/model.html", context)


@require_safe
@login_required
def compare(request: HttpRequest, name: str) -> HttpResponse:
    """One model on its several servers, side by side."""
    user = signed_in(request)
    found = _named(name, user)
    if found.slug != name:
        return redirect("compare", name=found.slug, permanent=False)
    load, card = current_load(), model_card(user, found)
    context = {
        "card": card,
        "price": price_of(found),
        "rows": _rows(card, load),
        "lines": [
            (line.label, list(zip(card.servings, line.cells, strict=True)))
            for line in comparison(card)
        ],
        "health_texts": health_texts(),
        "router_is_away": load is None,
    }
    return render(request, "dashboards/compare.html", context)


def _is_callable(card: ModelCard) -> bool:
    """Say whether anybody's call can be answered: a proposed model's is not, nor one's on trial without a server."""
    stage = card.model.stage
    return stage in OPEN_TO_ALL or (stage == LifecycleStage.STAGING and bool(card.in_service))


def _proposed_last(cards: list[ModelCard]) -> list[ModelCard]:
    return sorted(cards, key=lambda card: card.model.stage == LifecycleStage.PROPOSED)


def _rows(card: ModelCard, load: Load | None) -> list[tuple[Serving, ServerRow]]:
    return [
        (
            each,
            ServerRow(
                each.server, observed(each.server, load), is_stopped=is_stopped(each.server, load)
            ),
        )
        for each in card.servings
    ]


def _named(name: str, user: User) -> AIModel:
    """Return the model that clients reach by `name`. Raises `Http404`."""
    if re.fullmatch(PUBLIC_NAME, name):
        visible = AIModel.objects.for_user(user)
        aliases = Alias.objects.in_force().filter(name__iexact=name)
        found = visible.filter(Q(slug__iexact=name) | Q(pk__in=aliases.values("model"))).first()
        if found:
            return found
    raise Http404(_("No model has this name."))


def _load_of(model: AIModel, load: Load | None) -> ModelLoad | None:
    return load.view.models.get(str(model.pk)) if load else None
