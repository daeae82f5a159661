"""How many requests a server takes at once: learnt from its pace, lowered by what its gauges say.

It grows while the server writes faster than people read, towards the number at which it would not any more; an
engine's own queue is to stay empty, because what waits there cannot be put in order. A server without metrics
shows its hidden queue by first tokens that come far too late: behind that number stands a wall.
"""

from routing.core.pace import Pace

READABLE = 0.075
"""Seconds between tokens to aim at: reading takes 100 ms, some of which is kept in hand."""
START_WITH_GAUGES, START = 8.0, 2.0
MOST = 512.0
PERIOD_SECONDS = 0.5
"""How often it is looked at."""
APART_SECONDS = 2.0
"""One congestion shrinks the limit once."""
_COOL, _MOST_COOL = 15.0, 240.0
_USED = 0.7
"""Share of the limit that must be in use before it grows: else nothing says that more would do."""
_QUEUE_SEEN = 2


class LearntLimit:
    """One server's limit on requests at once. `now` in seconds of a clock that never goes back."""

    __slots__ = ("_cool", "_held_until", "_is_starting", "_shrunk_at", "proven", "value", "wall")

    def __init__(self, start: float = START) -> None:
        self.value = start
        self.wall = MOST
        """Requests at once beyond which the server lets wait, whoever asks."""
        self.proven = 1
        """Requests at once of which none waited for its first token; one does not, in an empty server."""
        self._is_starting = True
        self._cool = _COOL
        self._held_until = self._shrunk_at = -1e18

    @property
    def is_untouched(self) -> bool:
        return self._is_starting and self.value == START

    def restart(self) -> None:
        """Begin again after an ejection: from half, or from 4 where that is less."""
        self.value = max(4.0, self.value / 2)
        self._is_starting = True

    def began_in_time(self, running: int) -> None:
        """Note that a stream's first token came in time, with `running` in flight."""
        self.proven = max(self.proven, running)

    def was_full(self, running: int, now: float) -> None:
        """Note that the server refused one more than `running`."""
        self.value = max(1.0, min(self.value, 0.8 * running))
        self._is_starting = False
        self._held_until = now + _COOL

    def look(
        self, pace: Pace, running: int, now: float, *, served: int | None, queued: int = 0
    ) -> None:
        """Adjust, every `PERIOD_SECONDS`.

        `served`: how many run while others wait in the server's own queue, None when none seem to; `queued`:
        how many its gauges say do so while streams wait longer for their first token than reading takes.
        """
        if served:
            return self._found_wall(served, now)
        if queued > _QUEUE_SEEN:
            return self._shrink(0.9 * min(self.value, running), now)
        if running >= self.wall and now > self._held_until:
            self.wall += 1
            self.value = max(self.value, self.wall)
            self._held_until = now + self._cool
        if now > self._held_until or self.wall < MOST:
            self._approach(pace, running)
        return None

    def _found_wall(self, running: int, now: float) -> None:
        """No more than `running` are served at once; do not soon look again whether more would be."""
        if self.wall < MOST:
            self._cool = min(_MOST_COOL, 2 * self._cool)
        self.wall = min(self.wall, float(running))
        self.proven = min(self.proven, running)
        self.value = min(self.value, self.wall)
        self._is_starting = False
        self._held_until = now + self._cool

    def _shrink(self, value: float, now: float) -> None:
        if now - self._shrunk_at > APART_SECONDS:
            self.value = max(1.0, value)
            self._shrunk_at = now
            self._is_starting = False

    def _approach(self, pace: Pace, running: int) -> None:
        between, alone = pace.between_tokens, pace.alone
        target = max(READABLE, 1.5 * (alone or 0.03))
        if between is not None and alone is not None and between > _USED * target:
            self._is_starting = False
            knee = pace.running * (target - alone) / max(1e-4, between - alone)
            if knee > self.value and running < _USED * self.value:
                return
            step = 0.2 * (knee - self.value)
            self.value += max(-0.1 * self.value, min(0.1 * self.value, step))
        elif running >= _USED * self.value:
            self.value += max(1.0, 0.5 * self.value) if self._is_starting else self._small_step()
        self.value = max(1.0, min(self.value, self.wall))

    def _small_step(self) -> float:
        return max(0.5, 0.03 * self.value)
