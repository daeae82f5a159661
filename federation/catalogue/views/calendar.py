"""The calendar of what ends, for everybody: models and names, until when, and what follows them."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from federation.catalogue.audience import own_keys
from federation.catalogue.models import AIModel, Alias
from federation.people.models import User
from routing.core.enums import LifecycleStage

PAST = timedelta(days=365)
"""For how long what was retired stays in the calendar."""


@dataclass(frozen=True)
class Ending:
    """A name that ends. `is_alias`: of a model that goes on; `keys`: the reader's own that used it."""

    name: str
    day: date
    successor: AIModel | None
    note: str = ""
    is_alias: bool = False
    keys: tuple[str, ...] = ()


@require_safe
def calendar(request: HttpRequest) -> HttpResponse:
    """What is deprecated is told in every answer anyway, so it is no secret from visitors."""
    today = timezone.localdate()
    endings = _endings(request.user if isinstance(request.user, User) else None)
    context = {
        "to_come": [each for each in endings if each.day > today],
        "past": [each for each in reversed(endings) if today - PAST < each.day <= today],
    }
    return render(request, "catalogue/calendar.html", context)


def _endings(user: User | None) -> list[Ending]:
    """Return them by day; the keys of those to come, which are few."""
    leaving = (LifecycleStage.DEPRECATED, LifecycleStage.RETIRED)
    models = AIModel.objects.filter(stage__in=leaving, retires_on__isnull=False)
    found = [
        Ending(
            name=model.slug,
            day=model.retires_on,
            successor=model.successor,
            note=model.deprecation_note,
            keys=tuple(own_keys(user, model))
            if user and model.stage == LifecycleStage.DEPRECATED
            else (),
        )
        for model in models.select_related("successor")
        if model.retires_on
    ]
    aliases = Alias.objects.in_force().filter(
        sunset__isnull=False, model__in=AIModel.objects.open_to_all()
    )
    found += [
        Ending(name=alias.name, day=alias.sunset, successor=alias.instead, is_alias=True)
        for alias in aliases.select_related("successor", "model__successor")
        if alias.sunset
    ]
    return sorted(found, key=lambda each: (each.day, each.name))
