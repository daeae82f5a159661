"""When those who wait must be answered."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from routing.core.queueing import Request

_SPARE = 1000


class Deadlines:
    """A request is added each time it begins to wait; when it is served its deadline is forgotten in passing."""

    __slots__ = ("_enough", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, tuple[float, int], Request]] = []
        self._enough = _SPARE

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, request: Request) -> None:
        if len(self._heap) >= self._enough:
            self._heap = [entry for entry in self._heap if entry[2].waits]
            heapify(self._heap)
            self._enough = 2 * len(self._heap) + _SPARE
        heappush(self._heap, (request.expires_at, request.rank, request))

    def pop_due(self, now: float) -> Iterator[Request]:
        """Yield each waiting request whose time has come; it must be answered before the next is taken."""
        while (earliest := self.earliest()) is not None and earliest <= now:
            yield heappop(self._heap)[2]

    def earliest(self) -> float | None:
        """Return the first deadline of one who waits."""
        while self._heap and not self._heap[0][2].waits:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None
