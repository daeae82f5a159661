"""The journal's chain of hashes: what was changed shows, wherever it was."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from federation.journal.actors import ActorKind
from federation.journal.chain import BrokenChainError, event_hash, verify
from federation.journal.models import FIRST_PREVIOUS_HASH, AuditEvent

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SOMEBODY = UUID(int=7)


def chain(length: int = 5) -> list[AuditEvent]:
    """Events as `record` writes them, in memory."""
    events: list[AuditEvent] = []
    for seq in range(1, length + 1):
        event = AuditEvent(
            id=UUID(int=seq),
            seq=seq,
            at=NOON + timedelta(seconds=seq),
            actor_kind=ActorKind.PERSON.value,
            actor_pseudonym=SOMEBODY,
            verb="tests.act",
            object_type="tests.thing",
            object_id=str(seq),
            diff={"n": [seq - 1, seq]},
            prev_hash=events[-1].hash if events else FIRST_PREVIOUS_HASH,
        )
        event.hash = event_hash(event)
        events.append(event)
    return events


def test_a_chain_as_it_was_written_is_whole() -> None:
    events = chain()

    assert verify(events) == (5, events[-1].hash)


def test_an_empty_journal_is_whole() -> None:
    assert verify([]) == (0, FIRST_PREVIOUS_HASH)


CHANGES: dict[str, Any] = {
    "id": UUID(int=99),
    "at": NOON,
    "actor_kind": ActorKind.SYSTEM.value,
    "actor_pseudonym": UUID(int=8),
    "actor_command": "demo",
    "institution_id": UUID(int=9),
    "verb": "tests.other",
    "object_type": "tests.other",
    "object_id": "99",
    "diff": {"n": [2, 4]},
    "hash": "f" * 64,
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field_shows(field: str) -> None:
    events = chain()
    setattr(events[2], field, CHANGES[field])

    with pytest.raises(BrokenChainError, match="event 3 was changed"):
        verify(events)


def test_every_field_is_covered_by_a_hash() -> None:
    fields = {field.attname for field in AuditEvent._meta.concrete_fields}

    assert fields == set(CHANGES) | {"seq", "prev_hash"}


def test_a_changed_field_with_its_hash_made_again_shows_one_event_later() -> None:
    events = chain()
    events[2].verb = "tests.other"
    events[2].hash = event_hash(events[2])

    with pytest.raises(BrokenChainError, match="event 4 does not follow event 3"):
        verify(events)


def test_a_removed_event_shows() -> None:
    events = chain()
    del events[2]

    with pytest.raises(BrokenChainError, match="event 3 is missing"):
        verify(events)


def test_an_event_removed_and_the_rest_counted_again_shows() -> None:
    events = chain()
    del events[2]
    for seq, event in enumerate(events, start=1):
        event.seq = seq

    with pytest.raises(BrokenChainError, match="event 3"):
        verify(events)


def test_two_events_in_the_other_order_show() -> None:
    events = chain()
    events[1], events[2] = events[2], events[1]

    with pytest.raises(BrokenChainError):
        verify(events)


def test_events_cut_off_at_the_end_show_by_the_last_hash_alone() -> None:
    events = chain()

    count, head = verify(events[:3])

    assert count == 3
    assert head != events[-1].hash


def test_a_hash_does_not_depend_on_the_time_zone_in_which_it_is_computed() -> None:
    [event] = chain(1)
    before = event_hash(event)

    event.at = event.at.astimezone(timezone(timedelta(hours=2)))

    assert event_hash(event) == before
