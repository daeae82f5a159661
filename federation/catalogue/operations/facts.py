"""Writes about what a model's card tells."""

from collections.abc import Sequence
from typing import cast

from django.db import transaction

from federation.catalogue import policies
from federation.catalogue.models import AIModel
from federation.catalogue.operations.registering import ModelFacts
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.seen import SeenField, changed_meanwhile

SEVERAL = ("capabilities", "languages")
CODES = ("category", *SEVERAL)
"""Facts that are words of ours. The journal keeps them; of the others, which anybody may have typed, the length."""


def facts_of(model: AIModel) -> ModelFacts:
    """Return what the card tells now, and what a form about it was made from."""
    return cast(ModelFacts, {name: getattr(model, name) for name in ModelFacts.__annotations__})


@transaction.atomic
def describe_model(*, by: Actor, model: AIModel, facts: ModelFacts, seen: str = "") -> AIModel:
    """Change what the card of a model tells; nothing when nothing changes: capabilities have no order.

    `seen` is the mark of the facts that `by` looked at. Raises `ValidationError` when they are others by now.
    """
    locked = AIModel.objects.select_for_update().get(pk=model.pk)
    policies.check_describe(by, locked)
    before = facts_of(locked)
    if not SeenField(before).is_current(seen):
        raise changed_meanwhile()
    for name, value in facts.items():
        if name not in ModelFacts.__annotations__:
            raise ValueError(name)
        if name != "capabilities" or set(locked.capabilities) != set(cast(Sequence[str], value)):
            setattr(locked, name, _each_once(value) if name in SEVERAL else value)
    locked.full_clean()
    after = facts_of(locked)
    diff = {
        name: [_told(name, value), _told(name, after[name])]  # type: ignore[literal-required]
        for name, value in before.items()
        if value != after[name]  # type: ignore[literal-required]
    }
    if not diff:
        return locked
    locked.save(update_fields=list(facts))
    record(by=by, verb="catalogue.describe_model", obj=locked, diff=diff)
    return locked


def _each_once(values: object) -> list[str]:
    return list(dict.fromkeys(cast(Sequence[str], values)))


def _told(name: str, value: object) -> object:
    return value if name in CODES else len(str(value))
