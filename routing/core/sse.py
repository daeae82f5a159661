"""Server-sent events as bytes: where events end, and the JSON that one carries.

Line ends are LF or CRLF; a bare CR, which the standard allows and no inference server uses, is not one.
"""

import re
from typing import Any

import msgspec

EVENT_ENDS = (b"\n\n", b"\n\r\n")
"""What a block of whole events ends with."""

DONE = b"[DONE]"
_EVENT_END = re.compile(rb"\n\r?\n")  # either of them, whichever comes first
_decode_json = msgspec.json.Decoder().decode
_encode_json = msgspec.json.Encoder().encode


def last_event_end(buffer: bytes | bytearray, start: int = 0) -> int:
    """Return the offset behind the last whole event that ends after `start`, 0 when there is none."""
    return max(_behind(buffer.rfind(end, start), end) for end in EVENT_ENDS)


def split_events(block: bytes) -> list[bytes]:
    """Return the events of `block`, each with its end; joined they are `block` again."""
    events, position = [], 0
    for mark in _EVENT_END.finditer(block):
        events.append(block[position : mark.end()])
        position = mark.end()
    if position < len(block):
        events.append(block[position:])
    return events


def data_of(event: bytes) -> bytes | None:
    """Return what the `data` lines of an event hold, None when it has none (a comment, a bare name)."""
    lines = [line[5:] for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines).strip() if lines else None


def with_data(event: bytes, value: object) -> bytes:
    """Return an event with other data, its name and whatever else it has as they were."""
    rest = [line for line in event.splitlines() if line and not line.startswith(b"data:")]
    return b"\n".join((*rest, b"data: " + _encode_json(value))) + b"\n\n"


def read_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `data`, None when it is anything else."""
    try:
        value = _decode_json(data)
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        return None
    return value if isinstance(value, dict) else None


def _behind(position: int, mark: bytes) -> int:
    return position + len(mark) if position >= 0 else 0
