"""Whose turn it is: a minimum for each class, then the highest, and within a class the institution served least.

Service is counted in cost units: tokens read, and four for each token written. A class that waits earns a share
of everything that is served and is served from it first, whatever stands above it. Within a class each
institution has a counter (virtual token counter, arXiv 2401.00588): the lowest is next; one that comes back
starts about where the others are, so that nobody saves up turns. Estimates are settled on what was really used.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

WRITTEN = 4.0
"""Cost of a token written, in tokens read."""
SHARES: Mapping[int, float] = {4: 0.05, 3: 0.05, 2: 0.03, 1: 0.02}
MOST_CREDIT, MOST_DEBT = 60_000.0, -30_000.0
OWED = 500.0
"""Credit that gives a class a turn: about a small request's, so that it comes behind what earned it."""
HEAD_START = 60_000.0
"""By how much one that comes back may be behind those that wait: what was used just before still counts."""


def cost(prompt: float, written: float) -> float:
    return prompt + WRITTEN * written


class Turns:
    """Of one model. Classes are 1…5, 5 the highest."""

    __slots__ = ("_credit", "_served", "shares")

    def __init__(self, shares: Mapping[int, float] = SHARES) -> None:
        self.shares = shares
        self._credit: dict[int, float] = defaultdict(float)
        self._served: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def order(self, waiting: Collection[int]) -> Iterable[tuple[int, bool]]:
        """Return the classes that wait in the order of their turns, and whether a turn is of the minimum share."""
        owed = [level for level in waiting if self._credit[level] >= OWED]
        owed.sort(key=lambda level: -self._credit[level])
        yield from ((level, True) for level in owed)
        yield from ((level, False) for level in sorted(waiting, reverse=True))

    def least_served(self, level: int, institutions: Iterable[str]) -> list[str]:
        """Return the institutions that wait in a class, the least served first."""
        served = self._served[level]
        return sorted(institutions, key=lambda each: served[each])

    def comes_back(self, level: int, institution: str, active: Iterable[str]) -> None:
        """An institution begins to wait: it starts little lower than the least served of those that do.

        Where nobody does, little lower than the most served of all: what others used while there was enough for
        everybody gives a newcomer no claim to every turn.
        """
        served = self._served[level]
        waiting = [served[each] for each in active if each != institution]
        start = min(waiting) if waiting else max(served.values(), default=0.0)
        served[institution] = max(served[institution], start - HEAD_START)

    def serve(
        self, level: int, institution: str, amount: float, weight: float, waiting: Collection[int]
    ) -> None:
        """Count what is about to be served, by whatever way; classes that wait earn their share of it."""
        self._served[level][institution] += amount / weight
        self.earn(amount, waiting)
        if level in self.shares:
            self._credit[level] = max(MOST_DEBT, self._credit[level] - amount)

    def earn(self, amount: float, waiting: Collection[int]) -> None:
        """Give classes that wait their share of what a server of theirs serves, were it of another model."""
        for owed, share in self.shares.items():
            if owed in waiting:
                self._credit[owed] = min(MOST_CREDIT, self._credit[owed] + share * amount)

    def settle(self, level: int, institution: str, difference: float, weight: float) -> None:
        """Correct the count by what was really used."""
        self._served[level][institution] += difference / weight
