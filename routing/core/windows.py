"""How often something happened lately, in constant space and time."""


class RecentCount:
    """Counts over about the last `seconds`: what is older leaves evenly while the next window fills."""

    __slots__ = ("_before", "_current", "_since", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since = float("-inf")
        self._current = 0
        self._before = 0

    def add(self, now: float) -> None:
        self._roll(now)
        self._current += 1

    def total(self, now: float) -> float:
        """Return how often, with `now` never before an earlier one."""
        self._roll(now)
        return self._current + self._before * (1 - (now - self._since) / self.seconds)

    def _roll(self, now: float) -> None:
        age = now - self._since
        if age < self.seconds:
            return
        within_next = age < 2 * self.seconds
        self._before = self._current if within_next else 0
        self._since = self._since + self.seconds if within_next else now
        self._current = 0
