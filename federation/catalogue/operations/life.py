"""Writes about the life of a model: into production, deprecated, back, retired."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from federation.catalogue import policies
from federation.catalogue.enums import AnnouncementKind
from federation.catalogue.models import AIModel, StageChange
from federation.catalogue.operations.following import one_at_a_time
from federation.catalogue.operations.notices import announce, take_back
from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.members.models import Ballot
from federation.members.policies import check_reason
from federation.people.models import User
from federation.seen import changed_meanwhile
from routing.core.enums import LifecycleStage

END = ("deprecated_at", "retires_on", "successor", "deprecation_note_fr", "deprecation_note_en")


@transaction.atomic
def put_into_production(*, by: Actor, model: AIModel) -> AIModel:
    """Offer a model that is on trial to every key. Raises `ValidationError` with what it still needs."""
    locked = locked_model(model)
    policies.check_put_into_production(by, locked)
    move(by=by, locked=locked, stage=LifecycleStage.PRODUCTION)
    return locked


@transaction.atomic
def deprecate_model(
    *,
    by: Actor,
    model: AIModel,
    retires_on: date,
    successor: AIModel | None = None,
    note_fr: str = "",
    note_en: str = "",
) -> AIModel:
    """Say until when a model is offered and what follows it; the people whose keys used it are told by e-mail."""
    one_at_a_time()
    locked = locked_model(model)
    policies.check_write_catalogue(by)
    policies.check_end(locked, retires_on, successor)
    locked.deprecated_at = timezone.now()
    _set_end(locked, retires_on, successor, note_fr, note_en)
    policies.check_step(locked, LifecycleStage.DEPRECATED)
    announce(model=locked, kind=AnnouncementKind.DEPRECATED, ends_on=retires_on)
    move(by=by, locked=locked, stage=LifecycleStage.DEPRECATED)
    return locked


@transaction.atomic
def change_deprecation(
    *,
    by: Actor,
    model: AIModel,
    retires_on: date,
    successor: AIModel | None = None,
    note_fr: str = "",
    note_en: str = "",
    seen: int | None = None,
) -> AIModel:
    """Choose another date, successor or note; another date or successor is announced anew.

    `seen` is how many announcements `by` knew of. Raises `ValidationError` when there was one more meanwhile.
    """
    one_at_a_time()
    locked = locked_model(model)
    policies.check_change_deprecation(by, locked)
    policies.check_end(locked, retires_on, successor)
    if seen is not None and seen != locked.announcements.count():
        raise changed_meanwhile()
    before = (locked.retires_on, locked.successor)
    locked.deprecated_at = locked.deprecated_at or timezone.now()
    _set_end(locked, retires_on, successor, note_fr, note_en)
    locked.full_clean()
    locked.save(update_fields=END)
    if before != (retires_on, successor):
        announce(model=locked, kind=AnnouncementKind.MOVED, ends_on=retires_on)
    record(
        by=by,
        verb="catalogue.change_deprecation",
        obj=locked,
        diff={
            "retires_on": [before[0], retires_on],
            "successor": successor.pk if successor else None,
        },
    )
    return locked


@transaction.atomic
def restore_model(*, by: Actor, model: AIModel, reason: str) -> AIModel:
    """Have a deprecated model stay in production after all; who used it is told."""
    locked = locked_model(model)
    policies.check_write_catalogue(by)
    check_reason(reason)
    policies.check_step(locked, LifecycleStage.PRODUCTION)
    announce(model=locked, kind=AnnouncementKind.KEPT, ends_on=None)
    move(by=by, locked=locked, stage=LifecycleStage.PRODUCTION, reason=reason)
    return locked


@transaction.atomic
def retire_model(*, by: Actor, model: AIModel, reason: str = "") -> AIModel:
    """Offer a model no more: from its date on; one that never was in production at once, with the reason."""
    locked = locked_model(model)
    policies.check_retire(by, locked, reason)
    take_back(locked)
    move(by=by, locked=locked, stage=LifecycleStage.RETIRED, reason=reason)
    return locked


def retire_due_models() -> int:
    """Retire, as the system, every model whose date has come; return how many. Safe to run twice."""
    due = AIModel.objects.filter(
        stage=LifecycleStage.DEPRECATED, retires_on__lte=timezone.localdate()
    )
    retired = 0
    for model in due:
        try:
            retire_model(by=SYSTEM, model=model)
        except ValidationError:  # somebody has chosen another date, or was faster
            continue
        retired += 1
    return retired


def locked_model(model: AIModel) -> AIModel:
    rows = AIModel.objects.select_related("successor")
    return rows.select_for_update(of=("self",)).get(pk=model.pk)


def move(
    *,
    by: Actor,
    locked: AIModel,
    stage: LifecycleStage,
    reason: str = "",
    ballot: Ballot | None = None,
) -> None:
    """Take the step and write it into the model's history. The caller has locked the row and asked the policy."""
    before = LifecycleStage(locked.stage)
    policies.check_step(locked, stage)
    locked.stage = stage.value
    if stage == LifecycleStage.PRODUCTION:
        locked.deprecated_at = None
        _set_end(locked, None, None, "", "")
    locked.full_clean()
    locked.save(update_fields=["stage", *END])
    note_stage(by=by, model=locked, before=before.value, reason=reason, ballot=ballot)
    record(by=by, verb="catalogue.change_stage", obj=locked, diff={"stage": [before, stage]})


def note_stage(
    *, by: Actor, model: AIModel, before: str = "", reason: str = "", ballot: Ballot | None = None
) -> None:
    """Add the stage that a model has now to its history."""
    change = StageChange(
        model=model,
        before=before,
        after=model.stage,
        decided_by=by if isinstance(by, User) else None,
        ballot=ballot,
        reason=reason.strip(),
    )
    change.full_clean()
    change.save()


def _set_end(
    model: AIModel, retires_on: date | None, successor: AIModel | None, note_fr: str, note_en: str
) -> None:
    model.retires_on, model.successor = retires_on, successor
    model.deprecation_note_fr, model.deprecation_note_en = note_fr.strip(), note_en.strip()
