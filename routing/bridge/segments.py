"""The spool's files: which there are and in what order, what can be read of one, and putting one aside.

The router writes them (`routing.core.accounting` has the format) and never comes back to a segment after it has
made the next. Knows no database.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from routing.core.accounting import Record, read_frames

_NAME = re.compile(r"(?P<incarnation>.+)-(?P<number>\d{6,})\.spool")
_CHUNK = 2 * 1024 * 1024  # many times the longest line: a whole one is always within reach


class Segment(NamedTuple):
    incarnation: str
    number: int
    path: Path

    @property
    def name(self) -> str:
        return self.path.name


class Line(NamedTuple):
    record: Record
    end: int
    """Offset in the segment of the first byte behind the line."""


class Batch(NamedTuple):
    lines: list[Line]
    rest: int
    """Bytes of the segment behind the last line."""
    has_more: bool
    """Whether reading stopped at a bound of its own: there is more to read at once."""


def find_segments(folder: Path, incarnation: str | None) -> list[Segment]:
    """Return the segments in the order in which they were written.

    Incarnations sort by time; that of the router which runs now comes last, whatever its clock says.
    """
    found = []
    for name in os.listdir(folder) if folder.exists() else ():
        if match := _NAME.fullmatch(name):
            found.append(Segment(match["incarnation"], int(match["number"]), folder / name))
    return sorted(found, key=lambda segment: (segment.incarnation == incarnation, segment))


def read_batch(path: Path, offset: int, limit: int) -> Batch:
    """Read up to `limit` lines from `offset`. No line but a rest: the next line is broken, or not whole yet."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(offset)
        data = file.read(_CHUNK)
    lines: list[Line] = []
    try:
        for end, record in read_frames(data):
            lines.append(Line(record, offset + end))
            if len(lines) == limit:
                break
    except msgspec.DecodeError:
        pass  # whole by its checksum, yet no record of ours: as broken as any other
    read_to = lines[-1].end if lines else offset
    return Batch(lines, size - read_to, len(lines) == limit or len(data) == _CHUNK)


def put_aside(segment: Segment) -> Path:
    """Keep a segment that cannot be read to its end; renamed back, it is read from where reading stopped."""
    return segment.path.rename(segment.path.with_suffix(".damaged"))


def put_line_aside(segment: Segment, line: bytes) -> Path:
    """Keep a line that the database refuses, beside its segment."""
    path = segment.path.with_suffix(".rejected")
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return path
