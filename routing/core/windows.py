"""How often something happened lately, or how much of it, in constant space and time."""


class RecentCount:
    """Counts over about the last `seconds`: what is older leaves evenly while the next window fills."""

    __slots__ = ("_before", "_current", "_first", "_since", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since = float("-inf")
        self._first = float("inf")
        self._current = 0.0
        self._before = 0.0

    def add(self, now: float, amount: float = 1.0) -> None:
        self._roll(now)
        self._first = min(self._first, now)
        self._current += amount

    def total(self, now: float) -> float:
        """Return how often, or how much, with `now` never before an earlier one."""
        self._roll(now)
        return self._current + self._before * (1 - (now - self._since) / self.seconds)

    def rate(self, now: float) -> float:
        """Return how much a second, over the window or, while that is not yet over, since the first."""
        return self.total(now) / min(self.seconds, max(1.0, now - self._first))

    def _roll(self, now: float) -> None:
        age = now - self._since
        if age < self.seconds:
            return
        within_next = age < 2 * self.seconds
        self._before = self._current if within_next else 0.0
        self._since = self._since + self.seconds if within_next else now
        self._current = 0.0
