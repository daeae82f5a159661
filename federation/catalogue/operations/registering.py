"""Writes about what the catalogue holds: models and their versions."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypedDict

from django.db import transaction
from django.utils import timezone

from federation.catalogue import policies
from federation.catalogue.enums import Category
from federation.catalogue.models import AIModel, ModelVersion
from federation.catalogue.operations.life import note_stage
from federation.catalogue.operations.naming import save_under_its_name
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
    parameters: Decimal | None
    active_parameters: Decimal | None


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
    return enter(by=by, slug=slug, stage=stage, facts=facts or {})


def enter(*, by: Actor, slug: str, stage: LifecycleStage, facts: Mapping[str, object]) -> AIModel:
    """Write a model and the first stage of its life. The caller has asked the policy."""
    policies.check_name_is_free(slug)
    model = AIModel(**{"slug": slug, "display_name": slug, "stage": stage.value, **facts})
    if stage == LifecycleStage.DEPRECATED:
        model.deprecated_at = timezone.now()
    model.full_clean()
    save_under_its_name(model, slug)
    note_stage(by=by, model=model)
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
