"""How often something happened lately, or how much of it, in constant space and time."""


class RecentCount:
    """Counts over about the last `seconds`: what is older leaves evenly while the next window fills."""

    __slots__ = ("_before", "_current", "_since", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since = float("-inf")
        self._current = 0.0
        self._before = 0.0

    def add(self, now: float, amount: float = 1.0) -> None:
        self._roll(now)
        self._current += amount

    def total(self, now: float) -> float:
        """Return how often, or how much, with `now` never before an earlier one."""
        self._roll(now)
        return self._current + self._before * (1 - (now - self._since) / self.seconds)

    def _roll(self, now: float) -> None:
        age = now - self._since
        if age < self.seconds:
            return
        within_next = age < 2 * self.seconds
        self._before = self._current if within_next else 0.0
        self._since = self._since + self.seconds if within_next else now
        self._current = 0.0


class BusyRate:
    """How fast a line goes on, told by what left it over about the last `seconds` in which anybody stood in it."""

    __slots__ = ("_began", "_busy", "_done", "_moved", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._done = RecentCount(seconds)
        self._busy = RecentCount(seconds)
        self._began: float | None = None
        self._moved = 0.0

    def begin(self, now: float) -> None:
        """Somebody stands in a line that was empty."""
        self._began = self._moved = now

    def end(self, now: float) -> None:
        """The last one has left it."""
        if self._began is not None:
            self._busy.add(now, min(self.seconds, now - self._began))
            self._began = None

    def note(self, now: float, amount: float) -> None:
        """So much was let in from the line."""
        self._done.add(now, amount)
        self._moved = now

    def seconds_for(self, amount: float, now: float) -> float:
        """Return how long so much will take; as long as nothing was let in, as long again; 0 when nobody knows."""
        standing = 0.0 if self._began is None else now - self._began
        done = self._done.total(now)
        if not done:
            return standing
        busy = self._busy.total(now) + min(self.seconds, standing)
        stuck = now - self._moved if self._began is not None else 0.0
        return max(amount * min(self.seconds, busy) / done, min(stuck, standing))
