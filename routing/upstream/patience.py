"""How long silence is borne, for all connections by one timer: no timer and no task per request or chunk.

Each connection carries the time until which it may be silent; a look every quarter of a second finds those
that were silent for longer. What is found is found up to half a second late, and never early.
"""

import asyncio
from typing import Protocol

LOOK_S = 0.25
_MAX_STEP_S = 2 * LOOK_S


class Patient(Protocol):
    """`deadline` is in the time of `Patience.now`."""

    deadline: float

    def expire(self) -> None:
        """The deadline has passed."""


class Patience:
    """The timer runs only while there is something to look at.

    `now` is its own time, as of the last look. It stands still while the loop is blocked: the bytes that came
    meanwhile have not been seen yet, and a busy router must not blame its servers.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._watched: set[Patient] = set()
        self._looked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def until(self, seconds: float) -> float:
        """Return the deadline for a silence of `seconds` that begins now."""
        return self.now + seconds + LOOK_S

    def watch(self, patient: Patient) -> None:
        self._watched.add(patient)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._looked_at = loop.time()
            self._timer = loop.call_later(LOOK_S, self._look, loop)

    def forget(self, patient: Patient) -> None:
        self._watched.discard(patient)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(LOOK_S, self._look, loop)
        looked_at = loop.time()
        self.now += min(looked_at - self._looked_at, _MAX_STEP_S)
        self._looked_at = looked_at
        for patient in [each for each in self._watched if each.deadline < self.now]:
            patient.expire()
