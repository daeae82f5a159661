"""Requests that another dispatcher served: usage records with their origin, stored once however often they are read."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from uuid import UUID

from django.db import transaction

from billing.models import ImportedRequest, UsageRecord
from billing.records import partitions
from billing.records.intake import store
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.policies import is_federation_admin
from federation.policy import refuse_unless
from routing.core.accounting import Closed

Imported = tuple[Closed, ImportedRequest]
BATCH = 5_000


def stored_among(ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these requests that are stored already."""
    return set(UsageRecord.objects.filter(pk__in=ids).values_list("pk", flat=True))


def prepare(months: Iterable[date]) -> None:
    """Make the partitions of these months, apart: it locks the tables, and an import takes long."""
    for month in sorted(months):
        partitions.ensure(month, month)


@transaction.atomic
def import_requests(*, by: Actor, batches: Iterable[Collection[Imported]]) -> int:
    """Store what is not stored yet; return how many requests that were."""
    refuse_unless(is_federation_admin(by))
    stored, last = 0, None
    for batch in batches:
        stored += store([closed for closed, _ in batch], charged=False)
        noted = [beside for _, beside in batch]
        ImportedRequest.objects.bulk_create(noted, ignore_conflicts=True)
        last = noted[-1] if noted else last
    if stored and last:
        record(by=by, verb="billing.import_requests", obj=last, diff={"requests": stored})
    return stored
