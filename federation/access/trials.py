"""Writes about trials: a key is named for a model that is not offered to everybody yet, and taken off again."""

from django.db import transaction
from django.utils import timezone

from federation.access import policies
from federation.access.models import ApiKey, Trial
from federation.catalogue.models import AIModel
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.models import User


@transaction.atomic
def name_for_trial(*, by: Actor, model: AIModel, key: ApiKey) -> Trial:
    """Let a key ask a model on trial; routers go by it within a second."""
    locked = ApiKey.objects.select_for_update().get(pk=key.pk)
    current = AIModel.objects.select_for_update(no_key=True).get(pk=model.pk)
    policies.check_name_for_trial(by, current, locked)
    trial = Trial(key=locked, model=current, named_by=by if isinstance(by, User) else None)
    trial.full_clean()
    trial.save()
    _tell(by, "access.name_for_trial", trial)
    return trial


@transaction.atomic
def end_trial(*, by: Actor, trial: Trial) -> Trial:
    """Take a key off a trial."""
    rows = Trial.objects.select_related("key__application__institution", "model")
    locked = rows.select_for_update(of=("self",)).get(pk=trial.pk)
    policies.check_end_trial(by, locked)
    locked.ended_at = timezone.now()
    locked.save(update_fields=["ended_at"])
    _tell(by, "access.end_trial", locked)
    return locked


def carry_over(*, old: ApiKey, new: ApiKey) -> None:
    """Have a key that takes another's place tried with the same models."""
    Trial.objects.bulk_create(
        Trial(key=new, model_id=trial.model_id, named_by_id=trial.named_by_id)
        for trial in old.trials.in_force()
    )


def _tell(by: Actor, verb: str, trial: Trial) -> None:
    institution = trial.key.application.institution
    diff = {"key": trial.key_id, "model": trial.model_id}
    record(by=by, verb=verb, obj=trial, institution=institution, diff=diff)
