"""The spool's way into PostgreSQL: each batch, the open requests and the checkpoint in one transaction.

Reading any part again writes nothing twice, so a crash anywhere costs time only. A request that a dead router
left open is accounted as interrupted once all that this router wrote has been read.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from django.db import DataError, IntegrityError, connection, transaction

from billing import intake
from routing.bridge.models import SpoolCheckpoint, SpoolOpen
from routing.bridge.segments import (
    Line,
    Segment,
    find_segments,
    put_aside,
    put_line_aside,
    read_batch,
)
from routing.core.accounting import Closed, Opened, Ticked, frame
from routing.core.enums import RequestStatus, UsageSource

BATCH_LINES = 2000
_OPEN = """
INSERT INTO routing_spoolopen (id, incarnation, opened)
SELECT id, %s, opened FROM unnest(%s::uuid[], %s::bytea[]) AS new (id, opened)
ON CONFLICT (id) DO NOTHING
"""
_TICK = """
UPDATE routing_spoolopen SET ticked = new.ticked
FROM unnest(%s::uuid[], %s::bytea[]) AS new (id, ticked) WHERE routing_spoolopen.id = new.id
"""
_CLOSE = "DELETE FROM routing_spoolopen WHERE id = ANY(%s::uuid[])"
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
    """Follows the spool's folder. What it remembers is a copy: after an error, make another one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[str, int] = {}
        self._unread: frozenset[str] | None = None

    def step(self, incarnation: str | None = None) -> bool:
        """Store the next batch, or be done with a segment; return whether there is more to do at once.

        `incarnation` is the running router's, as far as it is known.
        """
        segments = find_segments(self._folder, incarnation)
        if not segments:
            return False
        self._close_interrupted(segments, incarnation)
        segment = segments[0]
        offset = self._offset(segment)
        batch = read_batch(segment.path, offset, BATCH_LINES)
        if batch.lines:
            store_lines(segment, batch.lines)
            self._offsets[segment.name] = batch.lines[-1].end
        elif len(segments) > 1:
            leave(segment, offset, batch.rest)
        return batch.has_more or len(segments) > 1

    def _offset(self, segment: Segment) -> int:
        if segment.name not in self._offsets:
            stored = SpoolCheckpoint.objects.filter(segment=segment.name).values_list("offset")
            self._offsets = {segment.name: stored[0][0] if stored else 0}
        return self._offsets[segment.name]

    def _close_interrupted(self, segments: Sequence[Segment], incarnation: str | None) -> None:
        """Look for requests left open whenever another router's segments have been read to their end."""
        unread = frozenset(segment.incarnation for segment in segments)
        if unread != self._unread:
            close_interrupted(unread | {incarnation or ""})
            self._unread = unread


def store_lines(segment: Segment, lines: Sequence[Line]) -> None:
    """Store lines of a segment and advance its checkpoint; a line that the database refuses is kept aside."""

    def put_aside_alone(line: Line, error: Exception) -> None:
        path = put_line_aside(segment, frame(line.record))
        logger.error("a line of %s is refused and kept in %s: %s", segment.name, path.name, error)
        with connection.cursor() as cursor:
            cursor.execute(_ADVANCE, [segment.name, line.end])

    store_or_halve(lines, lambda part: _commit(segment, part), put_aside_alone)


def leave(segment: Segment, offset: int, rest: int) -> None:
    """Be done with a segment that has a successor: delete what is stored whole, keep what is not."""
    if rest > 0:
        path = put_aside(segment)
        logger.error("%s is broken at byte %d; kept as %s", segment.name, offset, path.name)
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


def _commit(segment: Segment, lines: Sequence[Line]) -> None:
    opened: dict[str, Opened] = {}
    ticked: dict[str, Ticked] = {}
    closed: dict[str, Closed] = {}
    ended_before = []  # opened in an earlier batch
    for record, _ in lines:
        match record:
            case Opened():
                opened[record.id] = record
            case Ticked():
                ticked[record.id] = record
            case Closed():
                closed.setdefault(record.opened.id, record)
                if opened.pop(record.opened.id, None) is None:
                    ended_before.append(record.opened.id)
                ticked.pop(record.opened.id, None)
    with transaction.atomic(), connection.cursor() as cursor:
        if closed:
            intake.store(list(closed.values()))
        if opened:
            records = [_encode(record) for record in opened.values()]
            cursor.execute(_OPEN, [segment.incarnation, list(opened), records])
        if ticked:
            cursor.execute(_TICK, [list(ticked), [_encode(tick) for tick in ticked.values()]])
        if ended_before:
            cursor.execute(_CLOSE, [ended_before])
        cursor.execute(_ADVANCE, [segment.name, lines[-1].end])
