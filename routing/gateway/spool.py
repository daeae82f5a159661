"""The spool: what the router writes down of each request, so that whatever dies afterwards, it is accounted.

One `write` per line, forced to the disk each 100 ms in a thread; a segment is never touched again once the
next exists. When writing fails or the disk runs full, admission stops and lines already owed are kept and
retried. The clerk reads it (`routing.bridge.spool`); the format is `routing.core.accounting`'s.
"""

import asyncio
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

from routing.core.accounting import Record, frame

SEGMENT_BYTES = 8 * 1024 * 1024
SYNC_SECONDS = 0.1
LOOKS_AT_DISK_EACH = 10  # turns of the syncing loop: once a second
logger = logging.getLogger(__name__)


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class SpoolFull(Exception):
    """Nothing can be written down at present: no request may be admitted."""


class Spool:
    """The segments of this incarnation of the router."""

    def __init__(
        self,
        folder: Path,
        incarnation: str,
        min_free_bytes: int,
        measure: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder = folder
        self._incarnation = incarnation
        self._min_free_bytes = min_free_bytes
        self._measure = measure
        self._number = 0
        self._descriptor = -1
        self._ended: list[int] = []
        self._size = 0
        self._dirty = False
        self._is_torn = False
        self._has_room = True
        self._owed: deque[bytes] = deque()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open_segment()
        self._look_at_disk()

    @property
    def writable(self) -> bool:
        """Whether a request may be admitted: there is room, and no line is owed."""
        return self._has_room and not self._owed

    def admit(self, record: Record) -> None:
        """Write the first line of a request. Raises `SpoolFull`, having written nothing."""
        if not self.writable or not self._append(frame(record)):
            raise SpoolFull

    def write(self, record: Record) -> None:
        """Write a line of an admitted request, at the latest once the disk takes it again."""
        line = frame(record)
        if self._owed or not self._append(line):
            self._owed.append(line)

    @property
    def position(self) -> tuple[int, int]:
        """Return where the last line ends: its segment's number, and bytes from the start.

        Of a line that is still owed, a place behind which it will surely not be.
        """
        return (self._number + 2, 0) if self._owed else (self._number, self._size)

    def segment_sizes(self) -> list[int]:
        """Return the bytes of each segment, those of earlier incarnations included."""
        sizes = []
        for path in self._folder.glob("*.spool"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:
                continue  # the clerk has just finished with it
        return sizes

    async def keep(self) -> None:
        """Force lines to the disk, retry what is owed, watch the room; until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            turn += 1
            if turn % LOOKS_AT_DISK_EACH == 0:
                self._look_at_disk()
            self._pay()
            if self._dirty or self._ended:
                self._dirty = False
                ended, self._ended = self._ended, []
                await asyncio.to_thread(_force, self._descriptor, ended)

    def close(self) -> None:
        """Write what is owed, force it to the disk, and end the segment."""
        self._pay()
        if self._owed:
            logger.error("%d lines of the spool could not be written", len(self._owed))
        _force(self._descriptor, [*self._ended, self._descriptor])

    def _append(self, line: bytes) -> bool:
        """Write a whole line or nothing of it; return whether it is there."""
        try:
            if self._is_torn or (self._size and self._size + len(line) > SEGMENT_BYTES):
                self._open_segment()
            if os.write(self._descriptor, line) < len(line):
                self._take_back()
                return False
        except OSError as error:
            if not self._owed:
                logger.error("the spool cannot be written: %s", error.strerror)
            return False
        self._size += len(line)
        self._dirty = True
        return True

    def _take_back(self) -> None:
        """Remove half a line; where that fails, nothing may follow it in its segment: it ends there."""
        self._is_torn = True
        os.ftruncate(self._descriptor, self._size)
        self._is_torn = False

    def _pay(self) -> None:
        while self._owed and self._append(self._owed[0]):
            self._owed.popleft()

    def _look_at_disk(self) -> None:
        try:
            has_room = self._measure(self._folder) >= self._min_free_bytes
        except OSError:
            has_room = False
        if has_room != self._has_room:
            logger.warning("the spool's disk %s", "has room again" if has_room else "is full")
        self._has_room = has_room

    def _open_segment(self) -> None:
        path = self._folder / f"{self._incarnation}-{self._number + 1:06}.spool"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        descriptor = os.open(path, flags, 0o600)
        if self._number:
            self._ended.append(self._descriptor)
        self._descriptor = descriptor
        self._number += 1
        self._size = 0
        self._is_torn = False


def _force(current: int, ended: list[int]) -> None:
    """Force the lines in these files to the disk, and close those that are ended."""
    for descriptor in {*ended, current}:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            logger.error("the spool cannot be forced to the disk: %s", error.strerror)
    for descriptor in ended:
        os.close(descriptor)
