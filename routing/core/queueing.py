"""Requests between their ticket and their end, and the room of a model, in which they wait.

They stand in lines, one for each class, institution and need: whoever stands in a line could be served wherever
its head can. Keeps order and counts; who is let through is decided in `serving` and `assignment`.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Sequence

from routing.core.affinity import Affinity
from routing.core.candidates import Needs, Prospects, Route, all_down
from routing.core.enums import RoutingMode
from routing.core.estimates import Outputs
from routing.core.fairness import Turns, cost
from routing.core.host import Host
from routing.core.minimum import Watch
from routing.core.request import Grant, Place, RefusalCode, Ticket
from routing.core.retry import MAX_ATTEMPTS, RetryBudget
from routing.core.selection import STRATEGIES
from routing.core.table import Model
from routing.core.windows import BusyRate

ANSWER_MARGIN = 0.1
"""Seconds before its deadline at which a waiting ticket is answered, so that the answer is in time."""
RATE_WINDOW_SECONDS = 30.0


class Request:
    """A ticket's present state: it `waits` in its room, or holds a `grant` and tries the `route` it took.

    `rank` is its place in a line: when it came first, then in the order of arrival; a retry keeps it. It wants a
    server since `asked_at`: since it came, or since its last attempt failed.
    """

    __slots__ = (
        "asked_at",
        "attempt",
        "blocked_since",
        "cost",
        "expires_at",
        "failures",
        "grant",
        "granted_at",
        "needs",
        "output",
        "rank",
        "room",
        "route",
        "ticket",
        "waits",
    )

    def __init__(self, ticket: Ticket, room: "Room", number: int, now: float) -> None:
        self.ticket = ticket
        self.room = room
        self.asked_at = now - ticket.waited_ms / 1000
        self.rank = (self.asked_at, number)
        self.expires_at = now + ticket.deadline_in_ms / 1000 - ANSWER_MARGIN
        self.attempt = ticket.attempt
        self.failures = min(ticket.attempt, MAX_ATTEMPTS) - 1
        """Attempts that failed; those at servers that were only busy do not count."""
        self.needs = Needs(
            *(ticket.institution_id, ticket.mode, ticket.endpoint, ticket.excluded),
            priority=ticket.priority,
            labels=ticket.labels,
        )
        self.output = room.outputs.expected(ticket)
        self.cost = cost(ticket.prompt_estimate, self.output)
        self.waits = False
        self.blocked_since: float | None = None
        self.grant: Grant | None = None
        self.granted_at = now
        self.route: Route | None = None

    @property
    def is_owner(self) -> bool:
        """Whether it asks for its institution's own servers."""
        return self.ticket.mode is not RoutingMode.ANY

    @property
    def taken(self) -> Route:
        """The route of a request that has, or had, a grant."""
        assert self.route is not None
        return self.route

    @property
    def host(self) -> Host:
        """The server of a request that has, or had, a grant."""
        return self.taken.host


Line = list[Request]
"""In the order of ranks."""


class Room:
    """A model's servers, those who wait for it, and how fast they are served."""

    __slots__ = (
        "_costs",
        "_last",
        "_lines",
        "_rates",
        "_waiting",
        "affinity",
        "budget",
        "in_flight",
        "model",
        "outputs",
        "owners_waiting",
        "prospects",
        "turns",
        "watch",
    )

    def __init__(self, model: Model) -> None:
        self.model = model
        self.prospects = Prospects()
        self.in_flight = 0
        self.budget = RetryBudget()
        self.turns = Turns()
        self.affinity = Affinity()
        self.outputs = Outputs()
        self._rates: dict[int, BusyRate] = {}
        """How fast those who wait are let through, by class, in cost."""
        self._costs: dict[int, dict[str, float]] = {}
        """Cost of those who wait, by class and institution."""
        self._lines: dict[int, dict[str, dict[Needs, Line]]] = {}
        self._waiting = 0
        self.owners_waiting = 0
        """Of those who wait, how many ask for their institution's own servers."""
        self._last = ""
        self.watch: Watch | None = None
        """Of a critical model."""

    def __len__(self) -> int:
        return self._waiting

    @property
    def routes(self) -> Sequence[Route]:
        """The ways to serve the model, sorted by key."""
        return self.prospects.routes

    @property
    def classes(self) -> Collection[int]:
        """Return the classes in which somebody waits."""
        return self._lines.keys()

    def why_hopeless(self, needs: Needs, now: float) -> RefusalCode | None:
        """Return why no server could ever serve such a request, as far as is known now; None while there is hope."""
        found = self.prospects.of(needs, now)
        if isinstance(found, RefusalCode):
            return found
        if all_down(found) and not any(route.host.may_be_tried(now) for route in found):
            return RefusalCode.ALL_DOWN
        return None

    def institutions(self, level: int) -> Collection[str]:
        """Return the institutions that wait in a class."""
        return self._lines.get(level, {}).keys()

    def lines(self, level: int, institution: str) -> list[Line]:
        """Return the lines of an institution in a class, that with the oldest head first."""
        return sorted(self._lines[level][institution].values(), key=_head)

    def lines_by_needs(self) -> list[tuple[Needs, Line]]:
        """Return copies of all lines: who is answered may leave while one goes through them."""
        return [(line[0].needs, line[:]) for line in self._all_lines()]

    def waiting_in(self, level: int) -> int:
        return sum(
            len(line) for flows in self._lines.get(level, {}).values() for line in flows.values()
        )

    def most_dispensable(self) -> Request:
        """Return who goes when too many wait: in the lowest class, of the institution with most, the newest."""
        institutions = self._lines[min(self._lines)]
        longest = max(institutions.values(), key=lambda flows: sum(map(len, flows.values())))
        return max((line[-1] for line in longest.values()), key=_rank)

    def enter(self, request: Request, now: float) -> None:
        request.waits = True
        level, institution = request.ticket.priority, request.ticket.institution_id
        if level not in self._lines:
            self._rate(level).begin(now)
        institutions = self._lines.setdefault(level, {})
        if institution not in institutions:
            self.turns.comes_back(level, institution, institutions)
        line = institutions.setdefault(institution, {}).setdefault(request.needs, [])
        insort(line, request, key=_rank)
        self._waiting += 1
        self.owners_waiting += request.is_owner
        costs = self._costs.setdefault(level, {})
        costs[institution] = costs.get(institution, 0.0) + request.cost

    def leave(self, request: Request, now: float) -> None:
        request.waits = False
        level, institution = request.ticket.priority, request.ticket.institution_id
        flows = self._lines[level][institution]
        line = flows[request.needs]
        del line[bisect_left(line, request.rank, key=_rank)]
        self._waiting -= 1
        self.owners_waiting -= request.is_owner
        self._costs[level][institution] -= request.cost
        if not line:
            del flows[request.needs]
        if not flows:
            del self._lines[level][institution], self._costs[level][institution]
        if not self._lines[level]:
            del self._lines[level], self._costs[level]
            self._rate(level).end(now)

    def choose(self, request: Request, options: Sequence[Route], now: float) -> Route:
        """Return the option that the model's strategy prefers."""
        chosen = STRATEGIES[self.model.strategy](options, request, self._last, now)
        self._last = chosen.key
        return chosen

    def is_open(self, now: float) -> bool:
        """Say whether any server of the model could start a request of the lowest class."""
        limiting = self.model.limiting
        return any(
            route.has_model(now) and route.host.lowest_classes(limiting, now)[1] == 1
            for route in self.routes
        )

    def opens_at(self, now: float) -> float | None:
        """Return when time alone lets a server of the model take more; None when nothing says so."""
        times = [route.opens_at(now) for route in self.routes]
        return min((time for time in times if time is not None and time > now), default=None)

    def let_in(self, request: Request, now: float) -> None:
        """Note that one that waits is let through."""
        self._rate(request.ticket.priority).note(now, request.cost)

    def serve(self, request: Request) -> None:
        """Count what is about to be served."""
        ticket = request.ticket
        self.turns.serve(
            ticket.priority, ticket.institution_id, request.cost, ticket.weight, self.classes
        )

    def retry_seconds(self, request: Request, code: RefusalCode, now: float) -> float:
        """Return after how long it is worth to ask again what was refused, 0 when nothing says so."""
        if code is RefusalCode.MINIMUM and self.watch:
            return self.watch.retry_seconds(now)
        later = code in (RefusalCode.FULL, RefusalCode.ALL_DOWN, RefusalCode.ATTEMPTS)
        return self.wait_seconds(request, now) if later else 0.0

    def wait_seconds(self, request: Request, now: float) -> float:
        """Return how long one that came now, in this one's place, would wait; 0 when a server is open or nobody knows.

        Its class goes on as fast as it did lately, and before its turn each institution is served as much as its
        own. Nobody in its line stays beyond a deadline.
        """
        if not self._waiting and self.is_open(now):
            return 0.0
        level, institution = request.ticket.priority, request.ticket.institution_id
        costs = self._costs.get(level, {})
        own = costs.get(institution, 0.0) + (0.0 if request.waits else request.cost)
        others = sum(min(cost, own) for name, cost in costs.items() if name != institution)
        seconds = self._seconds_for(level, own + others, now)
        line = self._lines.get(level, {}).get(institution, {}).get(request.needs, [])
        last = next((each for each in reversed(line) if each is not request), None)
        if last is not None:
            seconds = min(seconds, last.expires_at - now)
        return max(0.0, seconds, self._closed_seconds(now))

    def place(self, request: Request, now: float) -> Place:
        """Return where one that waits stands: behind all higher classes, and in turn among its class's institutions."""
        level, own = request.ticket.priority, request.ticket.institution_id
        above = [each for each in self._lines if each > level]
        counts = {
            institution: sum(len(line) for line in flows.values())
            for institution, flows in self._lines[level].items()
        }
        turn = 1 + sum(
            bisect_left(line, request.rank, key=_rank) for line in self._lines[level][own].values()
        )
        order = self.turns.least_served(level, counts)
        first = order[: order.index(own)]
        among = turn + sum(
            min(n, turn if other in first else turn - 1)
            for other, n in counts.items()
            if other != own
        )
        ahead = sum(self._costs[level].values()) * among / sum(counts.values())
        return Place(
            position=among + sum(self.waiting_in(each) for each in above),
            waiting=self._waiting,
            wait_ms=round(
                1000 * max(self._seconds_for(level, ahead, now), self._closed_seconds(now))
            ),
        )

    def _seconds_for(self, level: int, cost: float, now: float) -> float:
        """Return how long a class needs for so much, as fast as it went lately; 0 when nobody knows."""
        return self._rate(level).seconds_for(cost, now)

    def _rate(self, level: int) -> BusyRate:
        if (rate := self._rates.get(level)) is None:
            rate = self._rates[level] = BusyRate(RATE_WINDOW_SECONDS)
        return rate

    def _closed_seconds(self, now: float) -> float:
        """Return how long nobody will be let in for sure: no end of a request opens what is ejected or held back."""
        may_open = any(route.host.health.ceiling(now) != 0 for route in self.routes)
        opens_at = None if self.in_flight and may_open else self.opens_at(now)
        return opens_at - now if opens_at is not None else 0.0

    def _all_lines(self) -> Iterator[Line]:
        for institutions in self._lines.values():
            for flows in institutions.values():
                yield from flows.values()


def _rank(request: Request) -> tuple[float, int]:
    return request.rank


def _head(line: Line) -> tuple[float, int]:
    return line[0].rank
