"""How much was used within a time that slides along, never told as less: what is older leaves a step at a time."""

from collections.abc import Iterable
from math import floor

Part = tuple[float, int]
"""(seconds since the end of its step, amount)"""


class Tally:
    """Counts over the last `seconds`, in `steps` parts: what was added leaves at most a step later than it might.

    Times never go back. A part is named by the number of its step.
    """

    __slots__ = ("_parts", "_seconds", "_step", "total")

    def __init__(self, seconds: float, steps: int) -> None:
        self._seconds = seconds
        self._step = seconds / steps
        self._parts: dict[int, int] = {}  # in the order of time
        self.total = 0

    def add(self, amount: int, now: float) -> int:
        """Count `amount`; return the part that it is in."""
        part = floor(now / self._step)
        self._parts[part] = self._parts.get(part, 0) + amount
        self.total += amount
        return part

    def take_out(self, part: int, amount: int) -> None:
        """Uncount what was added to a part; one that is past has taken it along."""
        if part in self._parts:
            self._parts[part] -= amount
            self.total -= amount

    def roll(self, now: float) -> None:
        """Let go what is surely older."""
        while self._parts and self._leaves_at(oldest := next(iter(self._parts))) <= now:
            self.total -= self._parts.pop(oldest)

    def falls_to(self, amount: int) -> float:
        """Return when the total has fallen to `amount`, if nothing is added."""
        rest, at = self.total, 0.0
        for part, size in self._parts.items():
            if rest <= amount:
                break
            rest, at = rest - size, self._leaves_at(part)
        return at

    def parts(self, now: float) -> list[Part]:
        """Return what a successor needs to go on counting (`restore`)."""
        self.roll(now)
        ends = {part: (part + 1) * self._step for part in self._parts}
        return [(max(0.0, now - ends[part]), size) for part, size in self._parts.items() if size]

    def restore(self, parts: Iterable[Part], now: float) -> None:
        """Count what a predecessor had, the oldest first, before anything else is counted."""
        for age, size in parts:
            self.add(size, now - age)

    def _leaves_at(self, part: int) -> float:
        return (part + 1) * self._step + self._seconds
