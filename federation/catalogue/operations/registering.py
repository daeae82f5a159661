"""Writes about what the catalogue holds: models, their versions, their names."""

from collections.abc import Sequence
from datetime import date
from typing import TypedDict

from django.db import transaction

from federation.catalogue import policies
from federation.catalogue.enums import Category
from federation.catalogue.models import AIModel, Alias, ModelVersion
from federation.journal.actors import Actor
from federation.journal.operations import record
from routing.core.enums import LifecycleStage


class ModelFacts(TypedDict, total=False):
    """What the catalogue may tell of a model beyond its name."""

    display_name: str
    description_fr: str
    description_en: str
    publisher: str
    publisher_url: str
    licence: str
    licence_url: str
    languages: Sequence[str]
    capabilities: Sequence[str]
    category: Category


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
