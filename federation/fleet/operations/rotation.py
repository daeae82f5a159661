"""Sealing everything anew with the first of the encryption keys, so that the others can go.

Batch by batch, each in a transaction of its own: killed at any moment it leaves every row readable by the keys that
are in force, and goes on where it was when it is run again.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import models, transaction

from federation.fleet.operations.credentials import encryption_keys
from federation.fleet.sealed import PLACES, SealedPlace
from federation.journal.actors import Actor, is_operator
from federation.journal.operations import record
from routing.upstream.credentials import UnsealError, reseal

BATCH = 100


class Survey(NamedTuple):
    """How many rows of each kind are sealed with the first key, with an older one, and which with none of them."""

    current: Counter[str]
    older: Counter[str]
    lost: list[tuple[str, str]]


def survey() -> Survey:
    """Look at every sealed row without changing any."""
    keys, found = encryption_keys(), Survey(Counter(), Counter(), [])
    for place in PLACES:
        for row in place.model._base_manager.order_by("pk").iterator(BATCH):
            try:
                changes = place.changed(row, lambda text: reseal(text, keys))
            except UnsealError:
                found.lost.append((place.name, str(row.pk)))
                continue
            if changes:
                is_current = all(getattr(row, name) == value for name, value in changes.items())
                (found.current if is_current else found.older)[place.name] += 1
    return found


def reseal_everything(*, by: Actor) -> Counter[str]:
    """Seal with the first key what another sealed; return how many rows of each kind. Lost rows stay as they are."""
    if not is_operator(by):
        raise PermissionDenied
    done: Counter[str] = Counter()
    for place in PLACES:
        for batch in _batches(place):
            done[place.name] += _reseal_batch(by, place, batch)
    return done


def _batches(place: SealedPlace) -> Iterator[list[UUID | int]]:
    last: UUID | int | None = None
    while True:
        rows = place.model._base_manager.order_by("pk")
        later = rows.filter(pk__gt=last) if last is not None else rows
        batch = list(later.values_list("pk", flat=True)[:BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1]


@transaction.atomic
def _reseal_batch(by: Actor, place: SealedPlace, batch: list[UUID | int]) -> int:
    keys, changed = encryption_keys(), []
    rows = place.model._base_manager.select_for_update().filter(pk__in=batch).order_by("pk")
    for row in rows:
        try:
            changes = place.changed(row, lambda text: reseal(text, keys))
        except UnsealError:
            continue
        if any(getattr(row, name) != value for name, value in changes.items()):
            _write(row, changes)
            changed.append(row)
    if changed:
        diff = {"kind": place.model._meta.label_lower, "rows": len(changed)}
        record(by=by, verb="fleet.reseal", obj=changed[0], diff=diff)
    return len(changed)


def _write(row: models.Model, changes: object) -> None:
    assert isinstance(changes, dict)
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
