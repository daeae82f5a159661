"""Writes about the life of a model."""

from django.db import transaction

from federation.catalogue import policies
from federation.catalogue.enums import TRANSITIONS
from federation.catalogue.models import AIModel
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.transitions import check_transition
from routing.core.enums import LifecycleStage


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
