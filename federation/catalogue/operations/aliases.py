"""Writes about aliases: another public name of a model is given, gets an end, and is taken away."""

from datetime import date

from django.db import transaction
from django.utils import timezone

from federation.catalogue import policies
from federation.catalogue.enums import AnnouncementKind
from federation.catalogue.models import AIModel, Alias
from federation.catalogue.operations.following import one_at_a_time
from federation.catalogue.operations.naming import save_under_its_name
from federation.catalogue.operations.notices import announce, take_back
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.seen import SeenField, changed_meanwhile


@transaction.atomic
def add_alias(
    *,
    by: Actor,
    model: AIModel,
    name: str,
    successor: AIModel | None = None,
    sunset: date | None = None,
) -> Alias:
    """Give a model another public name. Raises `ValidationError` when it is taken or odd."""
    one_at_a_time()
    successor = _another(successor, model)
    policies.check_name_alias(by, model, name)
    alias = Alias(model=model, name=name, successor=successor, sunset=sunset)
    if sunset is not None:
        policies.check_alias_end(alias, sunset, successor)
        alias.announced_at = timezone.now()
    alias.full_clean()
    save_under_its_name(alias, name)
    record(
        by=by,
        verb="catalogue.add_alias",
        obj=alias,
        diff={
            "name": name,
            "model": model.pk,
            "successor": successor.pk if successor else None,
            "sunset": sunset,
        },
    )
    return alias


@transaction.atomic
def end_alias(
    *,
    by: Actor,
    alias: Alias,
    sunset: date | None,
    successor: AIModel | None = None,
    seen: str = "",
) -> Alias:
    """Say until when a name is answered and what to ask for then, or that it stays; who used it is told an end.

    Without a successor, who asks for it is told the model's own name. `seen` is the mark of the `end_of` it that
    `by` looked at. Raises `ValidationError` when that is no longer so.
    """
    one_at_a_time()
    locked = locked_alias(alias)
    successor = _another(successor, locked.model)
    policies.check_change_alias(by, locked)
    if not SeenField(end_of(locked)).is_current(seen):
        raise changed_meanwhile()
    policies.check_alias_end(locked, sunset, successor)
    before = (locked.sunset, locked.successor_id)
    locked.sunset, locked.successor = sunset, successor
    locked.announced_at = (locked.announced_at or timezone.now()) if sunset else None
    locked.full_clean()
    locked.save(update_fields=["sunset", "successor", "announced_at"])
    if sunset is None:
        take_back(locked.model, locked)
    elif before != (locked.sunset, locked.successor_id):
        announce(model=locked.model, kind=AnnouncementKind.ALIAS, ends_on=sunset, alias=locked)
    record(
        by=by,
        verb="catalogue.end_alias",
        obj=locked,
        diff={"sunset": [before[0], sunset], "successor": locked.successor_id},
    )
    return locked


@transaction.atomic
def remove_alias(*, by: Actor, alias: Alias) -> Alias:
    """Take a name away at once; who used it is told. It may be given again, to the same model."""
    locked = locked_alias(alias)
    policies.check_change_alias(by, locked)
    locked.removed_at = timezone.now()
    locked.save(update_fields=["removed_at"])
    announce(
        model=locked.model,
        kind=AnnouncementKind.ALIAS,
        ends_on=timezone.localdate(),
        alias=locked,
    )
    record(by=by, verb="catalogue.remove_alias", obj=locked, diff={"model": locked.model_id})
    return locked


def _another(successor: AIModel | None, model: AIModel) -> AIModel | None:
    """The alias's own model follows it without being named."""
    return None if successor == model else successor


def end_of(alias: Alias) -> dict[str, object]:
    """Return what is announced of a name."""
    return {"sunset": alias.sunset, "successor": alias.successor_id}


def locked_alias(alias: Alias) -> Alias:
    rows = Alias.objects.select_related("model__successor", "successor")
    return rows.select_for_update(of=("self",)).get(pk=alias.pk)
