"""Writes about how the requests for a model are shared out."""

from typing import TypedDict

from django.db import transaction

from federation.catalogue import policies
from federation.catalogue.models import AIModel, RoutingPolicy
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.models import User
from federation.seen import changed_meanwhile
from routing.core.enums import RoutingSetting


class Routing(TypedDict, total=False):
    """The settings of a routing policy; what is left out stays as it is."""

    setting: RoutingSetting
    share_p4: int
    share_p3: int
    share_p2: int
    share_p1: int
    longest_wait: int | None
    forward_priority: bool


@transaction.atomic
def set_routing(
    *, by: Actor, model: AIModel, settings: Routing, seen: int | None = None
) -> RoutingPolicy:
    """Write a new version of a model's routing policy, in force within a second; nothing when nothing changes.

    `seen` is the number of the version that `by` looked at. Raises `ValidationError` when it is not the current
    one any more, or when a setting is none.
    """
    locked = AIModel.objects.select_for_update().get(pk=model.pk)
    policies.check_set_routing(by, locked)
    before = RoutingPolicy.objects.current_of(locked)
    if seen is not None and seen != before.number:
        raise changed_meanwhile()
    present = {name: getattr(before, name) for name in Routing.__annotations__}
    after = RoutingPolicy(
        **{**present, **settings},
        model=locked,
        number=before.number + 1,
        current=True,
        set_by=by if isinstance(by, User) else None,
    )
    diff = {
        name: [value, getattr(after, name)]
        for name, value in present.items()
        if getattr(after, name) != value
    }
    if not diff:
        return before
    RoutingPolicy.objects.current().filter(model=locked).update(current=False)
    after.full_clean()
    after.save()
    record(by=by, verb="catalogue.set_routing", obj=after, diff={"model": locked.pk, **diff})
    return after
