"""The spool's files: which there are and in what order, what can be read of one, putting one aside, holding all.

The router writes them (`routing.core.accounting` has the format) and never comes back to a segment after it has
made the next. Knows no database.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from routing.core.accounting import Record, read_frames

_NAME = re.compile(r"(?P<incarnation>.+)-(?P<number>\d{6,})\.spool")
_BATCH_BYTES = 8 * 1024 * 1024  # a whole segment: a third of a second of work, 20 MB of memory


class Segment(NamedTuple):
    incarnation: str
    number: int
    path: Path

    @property
    def name(self) -> str:
        return self.path.name


Line = tuple[int, Record]
"""Where the line ends, counted from the start of its batch, and what it says."""


class Batch(NamedTuple):
    start: int
    """Offset in the segment of the first line."""
    lines: list[Line]
    rest: int
    """Bytes of the segment behind the last line."""
    has_more: bool
    """Whether reading stopped at the bound of a batch: there is more to read at once."""

    @property
    def end(self) -> int:
        """Offset in the segment of the first byte behind the last line."""
        return self.start + (self.lines[-1][0] if self.lines else 0)


def find_segments(folder: Path) -> list[Segment]:
    """Return the segments, those of a router in the order in which it wrote them."""
    found = []
    for name in os.listdir(folder) if folder.exists() else ():
        if match := _NAME.fullmatch(name):
            found.append(Segment(match["incarnation"], int(match["number"]), folder / name))
    return sorted(found)


def size_of(segment: Segment) -> int:
    """Return how many bytes a segment has, 0 when it has just gone: then it is stored."""
    try:
        return segment.path.stat().st_size
    except FileNotFoundError:
        return 0


def number_of(name: str) -> int:
    """Return which of its router's segments a name is of. Raises `ValueError` on one that is no segment's."""
    if match := _NAME.fullmatch(name):
        return int(match["number"])
    raise ValueError(f"{name} is no segment")


def read_batch(path: Path, offset: int) -> Batch:
    """Read lines from `offset`. No line but a rest: the next line is broken, or not whole yet."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(offset)
        data = file.read(_BATCH_BYTES)
    lines: list[Line] = []
    with suppress(
        msgspec.DecodeError
    ):  # whole by its checksum, yet no record of ours: as broken as any other
        lines.extend(read_frames(data))
    batch = Batch(offset, lines, 0, bool(lines) and len(data) == _BATCH_BYTES)
    return batch._replace(rest=size - batch.end)


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


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold every segment in its place, for a backup: what it finds stored nowhere else must not go meanwhile."""
    with _lock_of(folder) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def unheld(folder: Path) -> Iterator[bool]:
    """Yield whether nobody holds the segments: only then may one be deleted or put aside, inside."""
    with _lock_of(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _lock_of(folder: Path) -> Iterator[int]:
    """Open what is locked: the folder above, as the spool's own lock is its router's."""
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
