"""The whole import in one transaction, or a rehearsal of it that leaves nothing behind."""

from dataclasses import dataclass

from django.db import transaction

from billing.records.imports import import_requests, prepare, stored_among
from federation.journal.actors import Actor
from routing.bridge.transfer.carry_out import carry_out, key_digest
from routing.bridge.transfer.history import Past, history
from routing.bridge.transfer.keeping import Keeper, in_batches
from routing.bridge.transfer.owners import Choices
from routing.bridge.transfer.plan import Plan, make_plan
from routing.bridge.transfer.register import read_register
from routing.bridge.transfer.sources import Sources, read


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be; `requests` are those of the past that were not stored before."""

    plan: Plan
    remarks: tuple[str, ...]
    requests: int
    requests_read: int

    @property
    def is_nothing(self) -> bool:
        return not self.plan.steps and not self.requests


def import_dispatcher(*, by: Actor, sources: Sources, choices: Choices, apply: bool) -> Outcome:
    """Bring the register to what the files say. Without `apply` everything is tried, and undone.

    Raises `Refused` with every fault of the files, `ValidationError` for what an operation refuses.
    """
    wanted, past = read(sources)
    if apply and past:
        prepare(past.months)
    with transaction.atomic():
        digests = [key_digest(key) for key in wanted.keys]
        plan = make_plan(wanted, read_register(), choices, digests, past)
        remarks = carry_out(plan, by)
        requests = _keep(by, sources, plan, apply=apply)
        transaction.set_rollback(not apply)
    return Outcome(plan, tuple(remarks), requests, past.requests if past else 0)


def _keep(by: Actor, sources: Sources, plan: Plan, *, apply: bool) -> int:
    """Store the requests of the past; a rehearsal only counts them, as it would keep others waiting."""
    if sources.metrics is None:
        return 0
    batches = map(_not_stored, in_batches(history(sources.metrics, sources.zone)))
    if not apply:
        return sum(map(len, batches))
    return import_requests(by=by, batches=Keeper(plan.homes).imported(batches))


def _not_stored(batch: list[Past]) -> list[Past]:
    known = stored_among([past.id for past in batch])
    return [past for past in batch if past.id not in known]
