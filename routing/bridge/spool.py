"""The spool's way into PostgreSQL: each batch, the open requests and the checkpoint in one transaction.

Reading any part again writes nothing twice, so a crash anywhere costs time only. A request that a dead router
left open is accounted as interrupted once all that this router wrote has been read.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from django.db import DataError, IntegrityError, connection, transaction

from billing.energy import metering
from billing.records import intake
from routing.bridge.models import SpoolCheckpoint, SpoolOpen
from routing.bridge.segments import (
    Batch,
    Line,
    Segment,
    find_segments,
    put_aside,
    put_line_aside,
    read_batch,
    unheld,
)
from routing.core.accounting import Closed, Metered, Opened, Ticked, frame
from routing.core.enums import RequestStatus, UsageSource

# Ids and records travel as one text each, in hexadecimal: five times cheaper than as arrays.
_OPEN = """
INSERT INTO routing_spoolopen (id, incarnation, opened)
SELECT id, %s, decode(opened, 'hex')
FROM unnest(string_to_array(%s, ' ')::uuid[], string_to_array(%s, ' ')) AS new (id, opened)
ON CONFLICT (id) DO NOTHING
"""
_TICK = """
UPDATE routing_spoolopen SET ticked = decode(new.ticked, 'hex')
FROM unnest(string_to_array(%s, ' ')::uuid[], string_to_array(%s, ' ')) AS new (id, ticked)
WHERE routing_spoolopen.id = new.id
"""
_CLOSE = "DELETE FROM routing_spoolopen WHERE id = ANY(string_to_array(%s, ' ')::uuid[])"
_ADVANCE = """
INSERT INTO routing_spoolcheckpoint (segment, "offset") VALUES (%s, %s)
ON CONFLICT (segment) DO UPDATE SET "offset" = excluded."offset"
"""
_encode = msgspec.msgpack.Encoder().encode
_decode_opened = msgspec.msgpack.Decoder(Opened).decode
_decode_ticked = msgspec.msgpack.Decoder(Ticked).decode
logger = logging.getLogger(__name__)
Item = TypeVar("Item")


class Drain:
    """Follows the spool's folder. What it remembers is a copy: after an error, make another one.

    `running` tells which router runs at this moment, None when that is not known: then no other router counts
    as dead, and the last segment of each is only read.
    """

    def __init__(self, folder: Path, running: Callable[[], str | None]) -> None:
        self._folder = folder
        self._running = running
        self._offsets: dict[str, int] = {}
        self._settled: frozenset[str] | None = None  # routers with files when no dead one had any

    def step(self) -> bool:
        """Store up to a batch of each segment and be done with ended ones; return whether there is more now."""
        segments = find_segments(self._folder)
        # Asked before reading: what a router wrote that is dead by then is all there is.
        running = self._running() if _incarnations(segments) != self._settled else None
        ended = _ended(segments, running)
        for segment in segments:
            if self._store_batch(segment, is_ended=segment in ended):
                return True
        if running is not None:
            left = _incarnations(find_segments(self._folder))
            close_interrupted(left | {running})
            self._settled = left if left <= {running} else None
        return False

    def _store_batch(self, segment: Segment, *, is_ended: bool) -> bool:
        """Return whether the segment has more to read at once."""
        offset = self._offset(segment)
        batch = read_batch(segment.path, offset)
        if batch.lines:
            store_batch(segment, batch)
            self._offsets[segment.name] = batch.end
        if is_ended and not batch.has_more:
            with unheld(self._folder) as may_leave:
                if may_leave:
                    leave(segment, batch)
                    del self._offsets[segment.name]
        return batch.has_more

    def _offset(self, segment: Segment) -> int:
        if segment.name not in self._offsets:
            stored = SpoolCheckpoint.objects.filter(segment=segment.name).values_list("offset")
            self._offsets[segment.name] = stored[0][0] if stored else 0
        return self._offsets[segment.name]


def _incarnations(segments: Sequence[Segment]) -> frozenset[str]:
    return frozenset(segment.incarnation for segment in segments)


def _ended(segments: Sequence[Segment], running: str | None) -> set[Segment]:
    """Return those to which nothing will be added: a later one exists, or another router runs."""
    last = {segment.incarnation: segment for segment in segments}
    return {
        segment
        for segment in segments
        if segment != last[segment.incarnation] or running not in (None, segment.incarnation)
    }


def store_batch(segment: Segment, batch: Batch) -> None:
    """Store lines of a segment and advance its checkpoint; a line that the database refuses is kept aside."""

    def store(lines: Sequence[Line]) -> None:
        _commit(segment, lines, batch.start + lines[-1][0])

    def keep_aside(line: Line, error: Exception) -> None:
        end, record = line
        path = put_line_aside(segment, frame(record))
        logger.error("a line of %s is refused and kept in %s: %s", segment.name, path.name, error)
        _advance(segment, batch.start + end)

    store_or_halve(batch.lines, store, keep_aside)


def leave(segment: Segment, batch: Batch) -> None:
    """Be done with a segment after its last batch: delete what is stored whole, keep what is not."""
    if batch.rest > 0:
        path = put_aside(segment)
        logger.error("%s is broken at byte %d; kept as %s", segment.name, batch.end, path.name)
        return
    segment.path.unlink(missing_ok=True)
    SpoolCheckpoint.objects.filter(segment=segment.name).delete()


def close_interrupted(incarnations: frozenset[str]) -> int:
    """Account what is open of every router but these; return how many requests that were."""
    left = list(SpoolOpen.objects.exclude(incarnation__in=incarnations))

    def settle(rows: Sequence[SpoolOpen]) -> None:
        with transaction.atomic():
            intake.store([interrupted(row) for row in rows])
            SpoolOpen.objects.filter(pk__in=[row.pk for row in rows]).delete()

    def complain(row: SpoolOpen, error: Exception) -> None:
        logger.error("open request %s cannot be accounted: %s", row.pk, error)

    if left:
        store_or_halve(left, settle, complain)
        logger.warning("%d requests were interrupted with their router", len(left))
    return len(left)


def interrupted(row: SpoolOpen) -> Closed:
    """Return how a request ended that was open when its router died.

    Its last tick is the last that is known: its time counts as the end, its tokens as estimated. What status
    the client saw, and which attempts came before, died with the router: HTTP status 0, no attempt.
    """
    opened = _decode_opened(row.opened)
    ticked = _decode_ticked(row.ticked) if row.ticked else None
    return Closed(
        opened=opened,
        status=RequestStatus.INTERRUPTED,
        http_status=0,
        server_id=ticked.server_id if ticked else None,
        deployment_id=None,
        model_served="",
        prompt_tokens=opened.prompt_estimate,
        cached_tokens=0,
        completion_tokens=ticked.completion_tokens if ticked else 0,
        reasoning_tokens=0,
        usage_source=UsageSource.ESTIMATED,
        first_token_at=ticked.first_token_at if ticked else None,
        finished_at=ticked.at if ticked else opened.received_at,
        fallback_id=ticked.fallback_id if ticked else "",
        attempts=(),
        error_code="router_interrupted",
    )


def store_or_halve(
    items: Sequence[Item],
    store: Callable[[Sequence[Item]], None],
    refuse: Callable[[Item, Exception], None],
) -> None:
    """Store items together; when the database refuses some, halve until each of these stands alone."""
    try:
        store(items)
    except (DataError, IntegrityError) as error:
        if len(items) == 1:
            refuse(items[0], error)
            return
        middle = len(items) // 2
        store_or_halve(items[:middle], store, refuse)
        store_or_halve(items[middle:], store, refuse)


class _Sorted:
    """Lines by what they say, the last word of each request only. `ended_before`: opened in an earlier batch."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.opened: dict[str, Opened] = {}
        self.ticked: dict[str, Ticked] = {}
        self.closed: dict[str, Closed] = {}
        self.metered: list[Metered] = []
        self.ended_before: list[str] = []
        for _end, record in lines:
            match record:
                case Opened():
                    self.opened[record.id] = record
                case Ticked():
                    self.ticked[record.id] = record
                case Closed():
                    self._close(record)
                case Metered():
                    self.metered.append(record)

    def _close(self, record: Closed) -> None:
        request_id = record.opened.id
        self.closed.setdefault(request_id, record)
        self.ticked.pop(request_id, None)
        if self.opened.pop(request_id, None) is None:
            self.ended_before.append(request_id)


def _commit(segment: Segment, lines: Sequence[Line], end: int) -> None:
    batch = _Sorted(lines)
    with transaction.atomic(), connection.cursor() as cursor:
        if batch.closed:
            intake.store(list(batch.closed.values()))
        if batch.metered:
            metering.store_windows(batch.metered)
        if batch.opened:
            cursor.execute(_OPEN, [segment.incarnation, *_joined(batch.opened)])
        if batch.ticked:
            cursor.execute(_TICK, _joined(batch.ticked))
        if batch.ended_before:
            cursor.execute(_CLOSE, [" ".join(batch.ended_before)])
        _advance(segment, end)


def _joined(records: Mapping[str, Opened] | Mapping[str, Ticked]) -> list[str]:
    """Return the ids, and the records, as one text each."""
    return [" ".join(records), " ".join(_encode(record).hex() for record in records.values())]


def _advance(segment: Segment, offset: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, [segment.name, offset])
