"""Requests between their ticket and their end, and the room of a model, in which they wait first come first served.

Keeps order and counts; who is let through is decided in `assignment`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from routing.core.candidates import Needs, Route
from routing.core.request import Grant, Ticket
from routing.core.retry import RetryBudget
from routing.core.selection import STRATEGIES
from routing.core.table import Model
from routing.core.windows import RecentCount

ANSWER_MARGIN = 0.1
"""Seconds before its deadline at which a waiting ticket is answered, so that the answer is in time."""
RATE_WINDOW_SECONDS = 30.0


class Request:
    """A ticket's present state: it `waits` in its room, or holds a `grant` and tries `route`.

    `rank` is its place in the line: when it came first, then in the order of arrival; a retry keeps it.
    """

    __slots__ = (
        "attempt",
        "expires_at",
        "grant",
        "needs",
        "rank",
        "room",
        "route",
        "ticket",
        "waits",
    )

    def __init__(self, ticket: Ticket, room: "Room", number: int, now: float) -> None:
        self.ticket = ticket
        self.room = room
        self.rank = (now - ticket.waited_ms / 1000, number)
        self.expires_at = now + ticket.deadline_in_ms / 1000 - ANSWER_MARGIN
        self.attempt = ticket.attempt
        self.needs = Needs(ticket.institution_id, ticket.mode, ticket.endpoint, ticket.excluded)
        self.waits = False
        self.grant: Grant | None = None
        self.route: Route | None = None


class Room:
    """A model's servers, those who wait for it, and how fast they are served."""

    __slots__ = ("_last", "_waiting", "budget", "ended", "in_flight", "model", "routes")

    def __init__(self, model: Model) -> None:
        self.model = model
        self.routes: Sequence[Route] = ()
        self.in_flight = 0
        self.budget = RetryBudget()
        self.ended = RecentCount(RATE_WINDOW_SECONDS)
        self._waiting: list[Request] = []
        self._last = ""

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Request]:
        """Go through those who wait, from the head; who is answered on the way may leave."""
        return iter(self._waiting.copy())

    @property
    def since(self) -> tuple[float, int]:
        """Return the rank of the head."""
        return self._waiting[0].rank

    def enter(self, request: Request) -> None:
        request.waits = True
        insort(self._waiting, request, key=_rank)

    def leave(self, request: Request) -> None:
        request.waits = False
        del self._waiting[bisect_left(self._waiting, request.rank, key=_rank)]

    def is_open(self, now: float) -> bool:
        """Say whether any server of the model could start a request."""
        return any(
            route.host.has_room(now) or route.host.may_be_tried(now) for route in self.routes
        )

    def choose(self, options: Sequence[Route]) -> Route:
        """Return the option that the model's strategy prefers."""
        chosen = STRATEGIES[self.model.strategy](options, self._last)
        self._last = chosen.key
        return chosen

    def opens_at(self, now: float) -> float | None:
        """Return when time alone lets a server of the model take more; None when nothing says so."""
        times = [route.host.health.opens_at(now) for route in self.routes]
        return min((time for time in times if time is not None and time > now), default=None)

    def wait_seconds(self, now: float) -> float:
        """Return how long one who came now would wait: until the line is drained, or a server comes back.

        0 when a server is open, and when nothing has ended lately, so that nobody knows.
        """
        if self.is_open(now):
            return 0.0
        opens_at = self.opens_at(now)
        drained = self.ended.total(now)
        drain = (len(self) + 1) * self.ended.seconds / drained if drained else 0.0
        return max(drain, opens_at - now if opens_at is not None else 0.0)


def _rank(request: Request) -> tuple[float, int]:
    return request.rank
