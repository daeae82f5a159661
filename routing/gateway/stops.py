"""The file that keeps what operators have stopped: written by `python -m routing.gateway.stop`, watched here.

It needs neither the database nor the portal nor a router that runs; the next router starts with it.
"""

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from routing.core.stops import Stop, Stops
from routing.gateway.snapshot import write_whole

FILE = "stops.json"  # in VAR, mode 600
logger = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(tuple[Stop, ...]).decode


class Unreadable(Exception):
    """What operators have stopped cannot be read; the text says why, in one line."""


def read_stops(path: Path) -> tuple[Stop, ...]:
    """Return what the file holds, nothing when there is none. Raises `OSError`, `ValueError`."""
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return ()


def write_stops(path: Path, stops: Sequence[Stop]) -> None:
    """Replace the file, whole or not at all. Raises `OSError`."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(tuple(stops)), indent=2) + b"\n")


def is_same(one: Stop, other: Stop) -> bool:
    """Say whether both stop the same thing, whatever their reasons."""
    return (one.what, one.id) == (other.what, other.id)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let nobody else change the file meanwhile; the kernel frees it, however we end. Raises `OSError`.

    A lock of its own: a backup holds the folder for minutes, and a stop must not wait for it.
    """
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class StopsFile:
    """The file as it was read last. Raises `Unreadable` at the start: without it, nothing may be served."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._signature()
        try:
            self.stops = Stops(read_stops(path))
        except (OSError, ValueError) as error:
            raise Unreadable(f"{path} cannot be read: {error}") from None

    def has_changed(self) -> bool:
        """Look whether the file is another, and take it over; one that cannot be read changes nothing."""
        seen = self._signature()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self.stops = Stops(read_stops(self._path))
        except (OSError, ValueError) as error:
            logger.error("%s cannot be read, what was stopped before stays so: %s", FILE, error)
            return False
        for stop in self.stops.each:
            logger.warning("stopped: %s %s (%s)", stop.what.value, stop.name, stop.why)
        return True

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - once a second, without making a Path's own errors
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
