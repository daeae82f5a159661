"""Who is next in a room, and at which of its servers it may start: owners, then minimum shares, then classes.

One `Pass` looks at the servers once, and again only at those that it gave something. After an event at one server
it looks only there: what the others do not admit now, they did not before. Reads only.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from routing.core.candidates import Route
from routing.core.enums import Lane, Limiting
from routing.core.host import NO_CLASS, OWNER, Host
from routing.core.queueing import Request, Room
from routing.core.request import RefusalCode

TOP = 5
_LANES = (Lane.OWNER, Lane.MINIMUM, Lane.SHARE, Lane.CLASS)
LOOKED_AT = 4
"""Institutions of a class whose head may be too large, or that are tried where only a warm server might take one."""
HELD_STREAM, HELD_WHOLE = 2.0, 5.0
"""Seconds for which smaller requests may pass one that is too large for the memory that is free."""
LONG_READ_SECONDS = 0.8
"""A whole answer's prompt that would take a busy server longer goes to the fastest reader, or an idle one."""


class Turn(NamedTuple):
    """A request that can start now, where, and by which way it was let through."""

    request: Request
    options: Sequence[Route]
    candidates: int
    lane: Lane


def rank(turn: Turn) -> tuple[int, int, tuple[float, int]]:
    """Return what comes first among rooms: owners, what a minimum service protects, minimum shares, classes, age."""
    return _LANES.index(turn.lane), -turn.request.ticket.priority, turn.request.rank


class Pass:
    """One look at a room, or at one host of it. Take a turn, carry it out, and call `note` before the next."""

    def __init__(self, room: Room, now: float, only: Host | None = None) -> None:
        self._room = room
        self._now = now
        self._limiting = room.model.limiting
        self._routes = [route for route in room.routes if only is None or route.host is only]
        self._doors = {route.key: self._door(route) for route in self._routes}
        """Of the routes that are looked at, the lowest class that is admitted, of streams and of whole answers."""
        self._closed: set[tuple[int, bool]] = set()
        self._has_ceilings = any(
            route.has_rules and route.host.guests.ceiling is not None for route in room.routes
        )

    def note(self, chosen: Route) -> None:
        """`chosen` was given a request: look at its server again."""
        for route in self._routes:
            if route.host is chosen.host:
                self._doors[route.key] = self._door(route)

    def next(self) -> Turn | None:
        """Return who starts next, and where; None when nobody can."""
        if self._room.owners_waiting and (turn := self._owner()):
            return turn
        return None if self._is_shut() else self._by_class()

    def for_one(self, request: Request) -> Turn | None:
        """Return where a request can start that waits for nobody."""
        turn = self.for_owner(request) if request.is_owner else None
        return turn or self.options(request, self._ceiling(request.ticket.priority))

    def options(self, request: Request, level: int) -> Turn | None:
        """Return where `request` could start under the ceilings of `level`."""
        candidates = self._candidates(request)
        ready = [route for route in candidates if self._admits(route, request, level, candidates)]
        if not ready:
            ready = [
                route
                for route in candidates
                if route.key in self._doors and route.host.may_be_tried(self._now)
            ]
            if not ready:
                return None
        if request.ticket.priority == TOP:
            ready = self._proven(ready)
        return Turn(request, ready, len(candidates), self._lane(request.ticket.priority, level))

    # Owners

    def _owner(self) -> Turn | None:
        """Return the oldest request that may start at a server of its own institution, above all guests."""
        heads = [
            line[0]
            for level in self._room.classes
            for institution in self._owners()
            if institution in self._room.institutions(level)
            for line in self._room.lines(level, institution)
        ]
        for request in sorted(heads, key=lambda head: (-head.ticket.priority, head.rank)):
            if request.is_owner and (turn := self.for_owner(request)):
                return turn
        return None

    def for_owner(self, request: Request) -> Turn | None:
        """Return its institution's servers, above the guests' ceilings, and others at which it would be a guest."""
        ticket = request.ticket
        candidates = self._candidates(request)
        ready = [
            route
            for route in candidates
            if route.key in self._doors
            and route.is_own_of(ticket.institution_id)
            and route.host.admits_owner(self._limiting, self._now)
            and route.host.has_memory_for(ticket.prompt_estimate, OWNER, self._now)
        ]
        if not ready:
            return None
        ready += [
            route
            for route in candidates
            if not route.is_own_of(ticket.institution_id)
            and self._admits(route, request, ticket.priority, candidates)
        ]
        return Turn(request, ready, len(candidates), Lane.OWNER)

    def _owners(self) -> set[str]:
        return {route.host.entry.institution_id for route in self._routes}

    # Classes

    def _by_class(self) -> Turn | None:
        room = self._room
        for level, is_share in room.turns.order(room.classes):
            if (level, is_share) in self._closed:
                continue
            ceiling = TOP if is_share else self._ceiling(level)
            if turn := self._of_class(level, ceiling):
                return turn
            self._closed.add((level, is_share))
        return None

    def _ceiling(self, level: int) -> int:
        """Return up to whose ceilings a class fills servers: what a minimum service protects, as the highest."""
        watch = self._room.watch
        return TOP if watch and watch.protects(level) else level

    def _lane(self, priority: int, level: int) -> Lane:
        watch = self._room.watch
        if watch and watch.protects(priority):
            return Lane.MINIMUM
        return Lane.SHARE if level > priority else Lane.CLASS

    def _of_class(self, level: int, ceiling: int) -> Turn | None:
        now, too_large = self._now, 0
        for place, institution in enumerate(self._in_turn(level, ceiling)):
            if too_large >= LOOKED_AT:
                return None
            for request in self._heads(level, institution):
                if turn := self.options(request, ceiling):
                    return turn
                if not self._is_too_large(request, ceiling):
                    continue
                too_large += 1
                if request.blocked_since is None:
                    request.blocked_since = now
                patience = HELD_STREAM if request.ticket.stream else HELD_WHOLE
                if place == 0 and now - request.blocked_since > patience:
                    self._close_from(level)
                    return None
        return None

    def _in_turn(self, level: int, ceiling: int) -> list[str]:
        """Return the institutions to try, the least served first: all of a class to which a server is open.

        Those before may wait for a server of their own, and must not keep it from the others.
        """
        order = self._room.turns.least_served(level, self._room.institutions(level))
        is_open = any(min(door) <= ceiling for door in self._doors.values())
        return order if is_open or self._may_try() else order[:LOOKED_AT]

    def _heads(self, level: int, institution: str) -> Iterator[Request]:
        for line in self._room.lines(level, institution):
            yield line[0]

    def _close_from(self, level: int) -> None:
        """Keep what comes free for one that waits for room in a server's memory."""
        for below in range(1, level + 1):
            self._closed.update(((below, True), (below, False)))

    # Servers

    def _door(self, route: Route) -> tuple[int, int]:
        return route.host.lowest_classes(self._limiting, self._now)

    def _is_shut(self) -> bool:
        """Say whether nobody at all could start, whatever they need."""
        shut = all(min(door) == NO_CLASS for door in self._doors.values())
        return shut and not self._may_try()

    def _may_try(self) -> bool:
        return any(route.host.may_be_tried(self._now) for route in self._routes)

    def _candidates(self, request: Request) -> Sequence[Route]:
        found = self._room.prospects.of(request.needs, self._now)
        if isinstance(found, RefusalCode):
            return ()
        if not self._has_ceilings:
            return found
        guest = request.ticket.institution_id
        return [route for route in found if route.host.guests.may_start(guest)]

    def _admits(
        self, route: Route, request: Request, level: int, candidates: Sequence[Route]
    ) -> bool:
        door = self._doors.get(route.key)
        if door is None:
            return False
        prompt = request.ticket.prompt_estimate
        streams, whole = door
        if not request.ticket.stream:
            return (
                level >= whole
                and not self._reads_too_long(route, request, candidates)
                and route.host.has_memory_for(prompt, level, self._now)
            )
        if level >= streams and route.host.has_memory_for(prompt, level, self._now):
            return True
        return (
            level < TOP
            and streams <= TOP
            and route.host.has_memory_for(prompt, TOP, self._now)
            and self._is_warm(route, request)
        )

    def _proven(self, ready: list[Route]) -> list[Route]:
        """Leave it to others to find out how much a server without gauges can do, where there is a choice."""
        if self._limiting is not Limiting.LEARNT:
            return ready
        return [route for route in ready if route.host.is_proven(self._now)] or ready

    def _is_warm(self, route: Route, request: Request) -> bool:
        """Say whether the server knows most of the prompt: a turn that is cheap here is dear elsewhere."""
        known = self._room.affinity.known_to(request.ticket.prefix, self._now)
        tokens, _age = known.get(route.host.entry.id, (0.0, 0))
        return tokens > 0.5 * request.ticket.prompt_estimate

    def _reads_too_long(self, route: Route, request: Request, candidates: Sequence[Route]) -> bool:
        host = route.host
        seconds = host.pace.prefill * (host.backlog + request.ticket.prompt_estimate)
        if not host.runs or seconds <= LONG_READ_SECONDS:
            return False
        fastest = min(each.host.pace.best_prefill for each in candidates)
        return host.pace.best_prefill > fastest

    def _is_too_large(self, request: Request, level: int) -> bool:
        """Say whether a server would admit it, were there room for its prompt."""
        door = 0 if request.ticket.stream else 1
        return any(
            route.key in self._doors
            and level >= self._doors[route.key][door]
            and not route.host.has_memory_for(request.ticket.prompt_estimate, level, self._now)
            for route in self._candidates(request)
        )
