"""Writes about critical models: what each must have at least, and the episodes in which it was not there."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from federation.catalogue import policies
from federation.catalogue.models import AIModel, MinimumService, MinimumServiceAlarm
from federation.catalogue.operations.following import one_at_a_time
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.models import User
from federation.seen import changed_meanwhile
from routing.core.enums import LifecycleStage


class Minimum(TypedDict, total=False):
    """What a critical model must have; what is left out stays as it is. No server gives the minimum up."""

    servers: int
    sites: int
    protected_class: int
    fallback: AIModel | None


GIVEN_UP = Minimum(servers=0, sites=0, fallback=None)


@transaction.atomic
def set_minimum(
    *, by: Actor, model: AIModel, minimum: Minimum, seen: int | None = None
) -> MinimumService:
    """Write a new version of a model's minimum service, in force within a second; nothing when nothing changes.

    `seen` is the number of the version that `by` looked at. Raises `ValidationError` when it is not the current
    one any more, or when the minimum or the fallback cannot be.
    """
    one_at_a_time()
    locked = AIModel.objects.select_for_update().get(pk=model.pk)
    policies.check_set_minimum(by, locked)
    before = MinimumService.objects.current_of(locked)
    if seen is not None and seen != before.number:
        raise changed_meanwhile()
    present = {name: getattr(before, name) for name in Minimum.__annotations__}
    after = MinimumService(
        **{**present, **minimum},
        model=locked,
        number=before.number + 1,
        current=True,
        set_by=by if isinstance(by, User) else None,
    )
    diff = {
        name: [_id(value), _id(getattr(after, name))]
        for name, value in present.items()
        if getattr(after, name) != value
    }
    if not diff:
        return before
    if after.fallback is not None and after.fallback != before.fallback:
        check_fallback(locked, after.fallback)
    MinimumService.objects.current().filter(model=locked).update(current=False)
    after.full_clean()
    after.save()
    record(by=by, verb="catalogue.set_minimum", obj=after, diff={"model": locked.pk, **diff})
    return after


def check_fallback(model: AIModel, fallback: AIModel) -> None:
    """Raise unless `fallback` is in production, and no chain of fallbacks leads from it back to `model`."""
    links = dict(MinimumService.objects.in_force().values_list("model_id", "fallback_id"))
    in_production = AIModel.objects.filter(stage=LifecycleStage.PRODUCTION)
    if not in_production.filter(pk=fallback.pk).exists():
        raise ValidationError(
            {"fallback": _("This model is not in production.")}, code="not_in_production"
        )
    step: UUID | None = fallback.pk
    while step is not None:
        if step == model.pk:
            raise ValidationError(
                {"fallback": _("It has this model as its own fallback, at one or more steps.")},
                code="cycle",
            )
        step = links.get(step)


@transaction.atomic
def open_alarm(
    *, by: Actor, minimum: MinimumService, began_at: datetime, servers: int, sites: int
) -> MinimumServiceAlarm:
    """Note that a critical model is below its minimum; of an episode that is noted, the fewest that were seen."""
    policies.check_note_alarm(by)
    locked = AIModel.objects.select_for_update().get(pk=minimum.model_id)
    known = MinimumServiceAlarm.objects.open().filter(model=locked).first()
    if known is not None:
        if servers < known.servers or sites < known.sites:
            known.servers = min(servers, known.servers)
            known.sites = min(sites, known.sites)
            known.save(update_fields=["servers", "sites"])
        return known
    alarm = MinimumServiceAlarm(
        model=locked, minimum=minimum, began_at=began_at, servers=servers, sites=sites
    )
    alarm.full_clean()
    alarm.save()
    diff = {"model": locked.pk, "servers": servers, "sites": sites}
    record(by=by, verb="catalogue.open_alarm", obj=alarm, diff=diff)
    return alarm


@transaction.atomic
def end_alarm(*, by: Actor, alarm: MinimumServiceAlarm, ended_at: datetime) -> MinimumServiceAlarm:
    """Note that the minimum is there again, or asked for no more. One that has ended stays as it is."""
    policies.check_note_alarm(by)
    locked = MinimumServiceAlarm.objects.select_for_update().get(pk=alarm.pk)
    if locked.ended_at is None:
        locked.ended_at = max(ended_at, locked.began_at)
        locked.save(update_fields=["ended_at"])
        record(by=by, verb="catalogue.end_alarm", obj=locked, diff={"model": locked.model_id})
    return locked


def _id(value: object) -> object:
    return value.pk if isinstance(value, AIModel) else value
