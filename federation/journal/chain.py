"""The chain of hashes that makes an edited, removed or inserted event visible. Pure: no query."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC

from federation.journal.models import FIRST_PREVIOUS_HASH, AuditEvent


def event_hash(event: AuditEvent) -> str:
    """Return the SHA-256 of every field of `event`, the hash of its predecessor included."""
    content = [
        str(event.id),
        event.seq,
        event.at.astimezone(UTC).isoformat(),
        event.actor_kind,
        str(event.actor_pseudonym or ""),
        event.actor_command,
        str(event.institution_id or ""),
        event.verb,
        event.object_type,
        event.object_id,
        event.diff,
        event.prev_hash,
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


class BrokenChainError(Exception):
    """The journal was changed by other means than its own operation, at event `number`; the text says how."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"event {number} {text}")
        self.number = number


def verify(
    events: Iterable[AuditEvent], after: tuple[int, str] = (0, FIRST_PREVIOUS_HASH)
) -> tuple[int, str]:
    """Return how many events there are and the last hash; raise `BrokenChainError` at the first fault.

    `events` come in order, from the first; or from the one that follows `after`, which an earlier call returned.
    Events cut off at the end leave a whole chain: compare the last hash with one noted earlier.
    """
    count, previous = after
    for count, event in enumerate(events, start=after[0] + 1):
        if event.seq != count:
            raise BrokenChainError(count, "is missing")
        if event.prev_hash != previous:
            raise BrokenChainError(count, f"does not follow event {count - 1}")
        if event.hash != event_hash(event):
            raise BrokenChainError(count, "was changed after it was written")
        previous = event.hash
    return count, previous
