"""`Decider`: the one place where anything about requests and servers changes. Events in, decisions out.

Synchronous, and told the time: `now` is in seconds, of any clock that never goes back. What holds at any time:

* a ticket that is not decided at once is granted, refused or expired, exactly once, unless it is withdrawn;
* no server is given more than its owner allows, counts never fall below 0 and are 0 when nothing runs;
* an ejected server gets nothing but one trial at a time;
* nobody waits while a server admits their class, unless a request too large for its memory is next;
* a retry goes to no server that failed it, keeps its place in the line, and nothing is tried after a fourth failure;
* what is told twice, late, or of an unknown attempt changes nothing.

A busy server has not failed a request: it takes nothing from anybody for a while, then the request may be its
again. Not here: who is next (`serving`), what attempts take and teach (`attempts`), timers and futures
(`routing.dispatch`).
"""

from routing.core.attempts import Attempts
from routing.core.budgets import Budgets
from routing.core.candidates import Route
from routing.core.deadlines import Deadlines
from routing.core.enums import Health
from routing.core.explaining import explain
from routing.core.fleet import Fleet
from routing.core.host import Host
from routing.core.limits import Limits
from routing.core.minimum import stand_in, to_shed
from routing.core.pricing import Accounted, Standings
from routing.core.queueing import Request, Room
from routing.core.recalls import recalls, to_move
from routing.core.request import (
    OK,
    UNUSED,
    Decision,
    Ended,
    Event,
    FirstToken,
    Gauges,
    Grant,
    LoadView,
    Place,
    Progress,
    Refusal,
    RefusalCode,
    Ticket,
    Withdrawn,
)
from routing.core.retry import HARMS_HEALTH, MAX_ATTEMPTS, WAS_BUSY, Failure
from routing.core.serving import Pass, Turn, rank
from routing.core.table import Table

MAX_WAITING = 1000
"""Tickets that may wait for one model; their bodies wait in memory with them."""
TICK_SECONDS = 0.1
"""How often time alone is asked whether it has opened something, while somebody waits."""
LOOK_SECONDS = 0.1
"""How often the servers of critical models are counted, at the most, while others come and go."""
_TAKES_HOPE = HARMS_HEALTH | {Failure.NO_ENDPOINT, Failure.NO_MODEL}
"""Outcomes after which a server may be out of the question for those who wait."""
_IS_GONE = frozenset({Failure.CONNECT, Failure.TIMEOUT})
"""What a probe meets at a server that may never answer what it was asked."""


class Decider:
    """Every method that changes something returns the decisions it brought about, of whichever tickets."""

    def __init__(self, epoch: int = 1) -> None:
        self._epoch = epoch
        self._fleet = Fleet()
        self._attempts = Attempts(self._fleet)
        self.limits = Limits()
        self.budgets = Budgets()
        self._requests: dict[str, Request] = {}
        self._deadlines = Deadlines()
        self._waiting = 0
        self._arrivals = 0

    # What is asked.

    def offer(self, ticket: Ticket, now: float) -> list[Decision]:
        """Decide about a new ticket, or let it wait. One that is known gets the grant that it holds."""
        if known := self._requests.get(ticket.id):
            return [known.grant] if known.grant else []
        return [] if self.budgets.awaits(ticket.id) else self._admit(ticket, now)

    def _admit(self, ticket: Ticket, now: float) -> list[Decision]:
        room = self._fleet.rooms.get(ticket.model_id)
        if room is None:
            self.budgets.give_back(ticket.id)
            return [Refusal(id=ticket.id, code=RefusalCode.NO_SERVER, retry_after_ms=0)]
        if (lack := self.budgets.admit(ticket, self._fleet.table, now)) is not None:
            return [lack] if isinstance(lack, Refusal) else []
        self._arrivals += 1
        request = Request(ticket, room, self._arrivals, now)
        if unwelcome := self.limits.admit(ticket, request.output, len(room), now):
            self.budgets.give_back(ticket.id)
            return [unwelcome]
        self._requests[ticket.id] = request
        room.budget.note_request(now)
        if refusal := self._hopeless(request, now):
            return [refusal]
        if not room and (turn := self._look(room, now).for_one(request)):
            return [self._grant(turn, now)[0]]
        self._enter(request, now)
        decisions = self._serve([room], now)
        if request.waits and request.expires_at <= now:
            decisions.append(self._refuse(request, RefusalCode.FULL, now))
        if len(room) > MAX_WAITING:
            decisions.append(self._refuse(room.most_dispensable(), RefusalCode.FULL, now))
        return decisions

    def retry(
        self, ticket_id: str, attempt: int, why: Failure, now: float, retry_after_ms: int = 0
    ) -> list[Decision]:
        """End a failed attempt and decide about the next; the ticket waits when no decision on it is returned.

        `retry_after_ms` is what a full server asked for, 0 when it said nothing.
        """
        request = self._running(ticket_id, attempt)
        if request is None:
            return [Refusal(id=ticket_id, code=RefusalCode.ATTEMPTS, retry_after_ms=0)]
        self._attempts.fail(request, why, now, retry_after=retry_after_ms / 1000)
        request.attempt += 1
        request.asked_at = now
        if why not in WAS_BUSY:
            request.failures += 1
            request.needs = request.needs.without(request.host.entry.id)
        request.grant = None
        refusal = self._refuse_retry(request, why, now) or self._hopeless(request, now)
        if refusal is None:
            self._enter(request, now)
        decisions = self._serve_all(now, recheck=True)
        return [*decisions, refusal] if refusal else decisions

    def withdraw(self, ticket_id: str, now: float) -> list[Decision]:
        """Forget a ticket whose client has left; what it ran is over."""
        request = self._requests.pop(ticket_id, None)
        self.budgets.give_back(ticket_id)
        if request is None:
            return []
        self.limits.settle(ticket_id, 0, now)
        if request.waits:
            self._leave(request, now)
            return self._serve_all(now)
        self._attempts.fail(request, UNUSED, now)
        return self._serve_at(request.host, now)

    # What is told.

    def report(self, event: Event, now: float) -> list[Decision]:
        """Take note of what happened to an attempt, or at a server."""
        match event:
            case FirstToken():
                return self._first_token(event, now)
            case Ended():
                return self._end(event, now)
            case Accounted() | Standings():
                self.budgets.note(event, self._fleet.table)
                return self._admit_again(now)
            case Withdrawn():
                return self.withdraw(event.id, now)
            case Progress() | Gauges():
                host = self._fleet.hosts.get(event.server_id)
                return self._hear(host, event, now) if host else []
        return []

    def replace_table(self, table: Table, now: float) -> list[Decision]:
        """Decide from `table` from now on: who waits is looked at again, what runs goes on."""
        self.limits.replace(table.principals.limits)
        self.budgets.replace(table.principals.budgets)
        before = self._fleet.table
        if table.names is before.names and table.servers is before.servers:
            self._fleet.table = table
            return self._admit_again(now)
        self._fleet.replace(table, now)
        decisions = [*self._serve_all(now, recheck=True), *self._admit_again(now)]
        self._fleet.drop_empty_rooms()
        return decisions

    def probes_due(self, now: float) -> tuple[str, ...]:
        """Return the servers that should be looked after, once: `probed` is expected for each."""
        self._fleet.look_at_minimums(now)
        due = [host for host in self._fleet.hosts_in_service if host.health.probe_is_due(now)]
        for host in due:
            host.health.begin_probe(now)
        return tuple(host.entry.id for host in due)

    def probed(
        self, server_id: str, *, ok: bool, failure: Failure | None, now: float
    ) -> list[Decision]:
        """Take note of what a probe found. A server that answers that it is full, or lacks the list, lives."""
        host = self._fleet.hosts.get(server_id)
        if host is None:
            return []
        harm = failure or Failure.CONNECT
        was_away = host.health.state is not Health.HEALTHY
        self._attempts.probed(host, None if ok or harm not in HARMS_HEALTH else harm, now)
        self._fleet.look_at_minimums(now)
        decisions = self._serve_all(now, recheck=True)
        if not ok and was_away and harm in _IS_GONE:
            gone = to_move(self._requests, host, now)
            decisions += recalls(self._requests, gone, Failure.TIMEOUT)
        return decisions

    # Time.

    def tick(self, now: float) -> list[Decision]:
        """Answer those whose deadline has come and use what time has opened."""
        decisions: list[Decision] = [*self.budgets.pop_due(now)]
        for request in self._deadlines.pop_due(now):
            decisions.append(self._refuse(request, RefusalCode.FULL, now))
        return decisions + self._serve_all(now)

    def set_hour(self, hour: int, now: float) -> list[Decision]:
        """Go by the owners' rules for this hour of the week, from 0 on Monday at midnight in Paris."""
        self._fleet.set_hour(hour)
        return self._serve_all(now, recheck=True)

    def wake_at(self, now: float) -> float | None:
        """Return when `tick` is to be called, None when nobody waits."""
        soon = now + TICK_SECONDS if self._waiting else None
        moments = (self._deadlines.earliest(), self.budgets.earliest(), soon)
        return min((moment for moment in moments if moment is not None), default=None)

    def place(self, ticket_id: str, now: float) -> Place | None:
        """Return where a ticket stands that waits, None for one that does not."""
        request = self._requests.get(ticket_id)
        return request.room.place(request, now) if request and request.waits else None

    def load(self, now: float) -> LoadView:
        """Return the present load of servers and models."""
        self._fleet.look_at_minimums(now)
        return self._fleet.load(now)

    # How it is decided.

    def _admit_again(self, now: float) -> list[Decision]:
        """Look again at those for whom a budget had too little."""
        return [each for ticket in self.budgets.waiting for each in self._admit(ticket, now)]

    def _serve_all(self, now: float, *, recheck: bool = False) -> list[Decision]:
        """Serve every room in which somebody waits."""
        if not self._waiting:
            return []
        rooms = [room for room in self._fleet.rooms.values() if room]
        decisions: list[Decision] = []
        if recheck:
            decisions += [each for room in rooms for each in self._refuse_hopeless(room, now)]
        return decisions + self._serve(rooms, now)

    def _serve_at(self, host: Host, now: float) -> list[Decision]:
        """Serve those who may wait for `host`, at which alone something has changed."""
        return self._serve(self._waiting_for(host), now, host) if self._waiting else []

    def _waiting_for(self, host: Host) -> list[Room]:
        """Return the rooms in which somebody waits whom `host` may serve."""
        return [
            room
            for room in self._fleet.rooms.values()
            if room and any(route.host is host for route in room.routes)
        ]

    def _serve(self, rooms: list[Room], now: float, only: Host | None = None) -> list[Decision]:
        """Let those in who can start now: of all rooms' next ones always the first, for they share servers."""
        decisions: list[Decision] = []
        looks = [self._look(room, now, only) for room in rooms]
        while turns := [turn for look in looks if (turn := look.next())]:
            grant, route = self._grant(min(turns, key=rank), now)
            for look in looks:
                look.note(route)
            decisions.append(grant)
        self._fleet.look_at_minimums(now, every=LOOK_SECONDS)
        making_way = [request for room in rooms for request in to_shed(room, now)]
        return decisions + [self._refuse(each, RefusalCode.MINIMUM, now) for each in making_way]

    def _look(self, room: Room, now: float, only: Host | None = None) -> Pass:
        if only is not None:
            only.look(now)
        else:
            for route in room.routes:
                route.host.look(now)
        return Pass(room, now, only)

    def _refuse_hopeless(self, room: Room, now: float) -> list[Decision]:
        """Answer those for whom no server is left: hope may have been lost, not only won."""
        return [
            self._refuse(request, code, now)
            for needs, line in room.lines_by_needs()
            if (code := room.why_hopeless(needs, now))
            for request in line
        ]

    def _hopeless(self, request: Request, now: float) -> Refusal | None:
        code = request.room.why_hopeless(request.needs, now)
        return self._refuse(request, code, now) if code else None

    def _grant(self, turn: Turn, now: float) -> tuple[Grant, Route]:
        request = turn.request
        room, ticket = request.room, request.ticket
        if request.waits:
            room.let_in(request, now)
            self._leave(request, now)
        route = request.route = room.choose(request, turn.options, now)
        server_id = route.host.entry.id
        known = room.affinity.known_to(ticket.prefix, now) if ticket.prefix else {}
        cached, age = known.get(server_id, (0.0, 0))
        explanation = explain(turn, route, cached, now)
        self._attempts.begin(request, cached, age, now)
        if self._waiting:
            for other in self._waiting_for(route.host):
                if other is not room:
                    other.turns.earn(request.cost, other.classes)
        request.grant = Grant(
            id=ticket.id,
            attempt=request.attempt,
            server_id=server_id,
            deployment_id=route.deployment.id,
            epoch=self._epoch,
            explain=explanation,
            allowance=self.limits.allowance(ticket, now),
        )
        return request.grant, route

    def _refuse(self, request: Request, code: RefusalCode, now: float) -> Refusal:
        """Forget `request`."""
        seconds = request.room.retry_seconds(request, code, now)
        fallback_id = stand_in(request, code, now)
        if request.waits:
            self._leave(request, now)
        ticket = request.ticket
        del self._requests[ticket.id]
        self.limits.give_back(ticket.id)
        self.budgets.give_back(ticket.id)
        return Refusal(
            id=ticket.id,
            code=code,
            retry_after_ms=round(seconds * 1000),
            allowance=self.limits.allowance(ticket, now),
            fallback_id=fallback_id,
        )

    def _refuse_retry(self, request: Request, why: Failure, now: float) -> Refusal | None:
        if request.failures >= MAX_ATTEMPTS:
            return self._refuse(request, RefusalCode.ATTEMPTS, now)
        if request.expires_at <= now:
            return self._refuse(request, RefusalCode.FULL, now)
        is_first = request.failures == 1  # All that a dying server held may be tried elsewhere.
        if why in HARMS_HEALTH and not is_first and not request.room.budget.take(now):
            return self._refuse(request, RefusalCode.RETRY_BUDGET, now)
        return None

    # What each change is made of.

    def _running(self, ticket_id: str, attempt: int) -> Request | None:
        request = self._requests.get(ticket_id)
        if request is None or request.grant is None or request.attempt != attempt:
            return None
        return request

    def _first_token(self, event: FirstToken, now: float) -> list[Decision]:
        request = self._running(event.id, event.attempt)
        if request is None:
            return []
        self._attempts.first_token(request, now)
        return self._serve_at(request.host, now)

    def _end(self, event: Ended, now: float) -> list[Decision]:
        request = self._running(event.id, event.attempt)
        if request is None:
            return []
        del self._requests[event.id]
        self.limits.settle(event.id, event.prompt_tokens + event.completion_tokens, now)
        if event.outcome == OK:
            self._attempts.complete(request, event, now)
        else:
            self._attempts.fail(request, event.outcome, now, written=event.completion_tokens)
        if event.outcome in _TAKES_HOPE:
            return self._serve_all(now, recheck=True)
        return self._serve_at(request.host, now)

    def _hear(self, host: Host, event: Progress | Gauges, now: float) -> list[Decision]:
        if isinstance(event, Gauges):
            host.measured(event, now)
        else:
            host.progressed(event, now)
        host.look(now)
        if isinstance(event, Progress) and host.is_silent(now):
            host.stopped(now)
            return [*recalls(self._requests, host.runs.values(), Failure.TIMEOUT)]
        queued = recalls(self._requests, host.queued_inside(now), Failure.QUEUED)
        return [*queued, *self._serve_at(host, now)]

    def _enter(self, request: Request, now: float) -> None:
        request.blocked_since = None
        request.room.enter(request, now)
        self._waiting += 1
        self._deadlines.add(request)

    def _leave(self, request: Request, now: float) -> None:
        request.room.leave(request, now)
        self._waiting -= 1
