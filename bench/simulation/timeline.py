"""Simulated time: what is to happen, and in which order."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class Timeline:
    """`now` in seconds. What is due at the same time happens in the order in which it was planned."""

    __slots__ = ("_due", "_numbers", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._numbers = count()

    def at(self, time: float, call: Callable[..., object], *args: Any) -> None:
        heapq.heappush(self._due, (time, next(self._numbers), call, args))

    def after(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        self.at(self.now + seconds, call, *args)

    def run(self, until: float) -> None:
        due = self._due
        while due and due[0][0] <= until:
            self.now, _, call, args = heapq.heappop(due)
            call(*args)
        self.now = until
