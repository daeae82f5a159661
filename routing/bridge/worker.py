"""A thread of the clerk: one kind of work on a database connection of its own, begun again after every error."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connection

RETRY_SECONDS = 0.5
BUG_RETRY_SECONDS = 5.0
CALM_SECONDS = 10.0
TROUBLE = (OperationalError, InterfaceError, OSError)
"""What passes: a database or a disk that is away, full, or busy."""
logger = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Works while the database is there and no other process holds the lock, until `stop` is set.

    `lock` is the number of a PostgreSQL advisory lock, held by the worker's connection: it ends with it.
    """

    def __init__(
        self, name: str, lock: int, work: Callable[[threading.Event], None], stop: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._lock = lock
        self._work = work
        self._stop_event = stop
        self._told: set[str] = set()

    def run(self) -> None:
        while not self._stop_event.is_set():
            pause, began = RETRY_SECONDS, time.monotonic()
            try:
                if self._may_work():
                    self._tell("at work", logging.INFO)
                    self._work(self._stop_event)
            except TROUBLE as trouble:
                if time.monotonic() - began > CALM_SECONDS:
                    self._told.clear()
                first_line = next(iter(str(trouble).strip().splitlines()), type(trouble).__name__)
                self._tell(f"waits: {first_line}", logging.WARNING)
            except Exception:  # the other worker, and the next change, must not die of a bug
                logger.exception("%s begins again", self.name)
                pause = BUG_RETRY_SECONDS
            finally:
                connection.close()
            self._stop_event.wait(pause)

    def _may_work(self) -> bool:
        """Take the lock; it is asked for again and again, so that a wish to stop is heard."""
        with connection.cursor() as cursor:
            while not self._stop_event.is_set():
                if cursor.execute("SELECT pg_try_advisory_lock(%s)", [self._lock]).fetchone()[0]:
                    return True
                self._tell("waits: another clerk is at work", logging.INFO)
                self._stop_event.wait(RETRY_SECONDS)
        return False

    def _tell(self, what: str, level: int) -> None:
        """Log what was not said yet since the last long calm: not every try of a bad time."""
        if what not in self._told:
            self._told.add(what)
            logger.log(level, "%s %s", self.name, what)


def attempt(chore: "partial[Any]") -> None:
    """Do it; tell what goes wrong and go on, for work that waits for nothing of it. What passes is raised."""
    try:
        chore()
    except TROUBLE:
        raise
    except Exception:
        logger.exception("%s failed: tried again later", chore.func.__name__)
