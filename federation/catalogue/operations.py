"""Writes about models: registering, versions, stages, aliases, how their requests are shared out."""

from collections.abc import Sequence
from datetime import date
from typing import TypedDict

from django.db import transaction

from federation.catalogue import policies
from federation.catalogue.enums import TRANSITIONS, Category
from federation.catalogue.models import AIModel, Alias, ModelVersion, RoutingPolicy
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.models import User
from federation.seen import changed_meanwhile
from federation.transitions import check_transition
from routing.core.enums import LifecycleStage, RoutingSetting


class ModelFacts(TypedDict, total=False):
    """What the catalogue may tell of a model beyond its name."""

    display_name: str
    description_fr: str
    description_en: str
    publisher: str
    licence: str
    languages: Sequence[str]
    capabilities: Sequence[str]
    category: Category


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
def register_model(
    *,
    by: Actor,
    slug: str,
    stage: LifecycleStage = LifecycleStage.PROPOSED,
    facts: ModelFacts | None = None,
) -> AIModel:
    """Write a model under its public name. Raises `ValidationError` when the name is taken or odd."""
    policies.check_write_catalogue(by)
    policies.check_name_is_free(slug)
    model = AIModel(**{"slug": slug, "display_name": slug, "stage": stage.value, **(facts or {})})
    model.full_clean()
    model.save()
    record(by=by, verb="catalogue.register_model", obj=model, diff={"slug": slug, "stage": stage})
    return model


@transaction.atomic
def add_version(
    *,
    by: Actor,
    model: AIModel,
    revision: str,
    quantisation: str = "",
    context_length: int | None = None,
    template: str = "",
    current: bool = True,
) -> ModelVersion:
    """Add a version and make it the current one, unless another is to stay that."""
    policies.check_write_catalogue(by)
    version = ModelVersion(
        model=model,
        revision=revision,
        quantisation=quantisation,
        context_length=context_length,
        template=template,
        current=current,
    )
    if current:
        model.versions.filter(current=True).update(current=False)
    version.full_clean()
    version.save()
    record(
        by=by,
        verb="catalogue.add_version",
        obj=version,
        diff={
            "model": model.pk,
            "revision": revision,
            "quantisation": quantisation,
            "context_length": context_length,
            "template": template,
        },
    )
    return version


@transaction.atomic
def change_stage(*, by: Actor, model: AIModel, stage: LifecycleStage) -> AIModel:
    """Move a model along its life. Raises `ForbiddenTransitionError`."""
    policies.check_write_catalogue(by)
    locked = AIModel.objects.select_for_update().get(pk=model.pk)
    before = LifecycleStage(locked.stage)
    check_transition(TRANSITIONS, before, stage)
    locked.stage = stage.value
    locked.save(update_fields=["stage"])
    record(by=by, verb="catalogue.change_stage", obj=locked, diff={"stage": [before, stage]})
    return locked


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
    policies.check_write_catalogue(by)
    policies.check_name_is_free(name)
    alias = Alias(model=model, name=name, successor=successor, sunset=sunset)
    alias.full_clean()
    alias.save()
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
