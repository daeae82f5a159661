"""UUIDv7 (RFC 9562): time-ordered ids for requests and rows, and the bounds of a month of them."""

import os
import time
from datetime import UTC, datetime
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_A = (1 << 12) - 1
_RANDOM_B = (1 << 62) - 1


def uuid7() -> UUID:
    """Return a new id whose first 48 bits are Unix milliseconds; 74 bits are random."""
    return _compose(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


def uuid7_floor(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 of `moment` (aware): the bound of a partition by time."""
    return _compose(int(moment.timestamp() * 1000), 0)


def uuid7_of(moment: datetime, digest: bytes) -> UUID:
    """Return the UUIDv7 of `moment` (aware) that stands for `digest`, of at least ten bytes: each time the same."""
    return _compose(int(moment.timestamp() * 1000), int.from_bytes(digest[:10]))


def uuid7_time(value: UUID) -> datetime:
    """Return the moment inside a UUIDv7, in UTC."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)


def _compose(milliseconds: int, random: int) -> UUID:
    a = (random >> 62) & _RANDOM_A
    b = random & _RANDOM_B
    return UUID(int=(milliseconds << 80) | _VERSION_7 | (a << 64) | _VARIANT | b)
