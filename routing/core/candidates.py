"""Which servers may ever serve a request, or why none will.

Not here: which of them could start it now (`serving`), the choice among those (`selection`).
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from routing.core.enums import Health, RoutingMode, ServerState
from routing.core.host import Host
from routing.core.labels import OWN
from routing.core.request import RefusalCode
from routing.core.table import Deployment

MISSING_SECONDS = 120.0
"""How long it is believed that a deployment lacks an endpoint, after its server said so."""
LOST_SECONDS = 5.0
"""How long a deployment is left alone whose server did not know the model: one request then finds out again."""
MAX_REMEMBERED = 1000
"""Kinds of needs whose candidates are remembered per model."""
MAX_MISSING = 100
"""Endpoints remembered as missing per deployment: their names come from clients."""


class Route:
    """A way to serve a model: a deployment on its host. Made anew when the table changes.

    `only_for` is the institution that a server still in staging, or this model on it, is reserved for, "" when
    it serves all.
    """

    __slots__ = ("_lost_until", "_missing", "deployment", "has_rules", "host", "key", "only_for")

    def __init__(self, deployment: Deployment, host: Host, model_id: str = "") -> None:
        self.deployment = deployment
        self.host = host
        self.key = f"{host.entry.id} {deployment.id}"
        entry = host.entry
        self.has_rules = entry.guests is not None
        closed = entry.guests is not None and model_id in entry.guests.models
        serves_all = entry.state is ServerState.LIVE and not closed
        self.only_for = "" if serves_all else entry.institution_id
        self._missing: dict[str, float] = {}
        self._lost_until = 0.0

    @property
    def in_flight(self) -> int:
        return self.host.in_flight

    def is_own_of(self, institution_id: str) -> bool:
        return self.host.entry.institution_id == institution_id

    def carries(self, labels: Sequence[str], institution_id: str) -> bool:
        """Say whether its site has every label; that of an institution's own is carried by no other."""
        return all(
            self.is_own_of(institution_id) if label == OWN else label in self.host.entry.labels
            for label in labels
        )

    def offers(self, endpoint: str, now: float) -> bool:
        """Say whether the deployment may know the endpoint: declared, or undeclared and not found missing."""
        declared = self.deployment.endpoints
        if declared and endpoint not in declared:
            return False
        return not self._missing or self._missing.get(endpoint, now) <= now

    def opens_at(self, now: float) -> float | None:
        """Return when time alone will let more through, None when only an event can."""
        health = self.host.health.opens_at(now)
        return health if self.has_model(now) else max(health or now, self._lost_until)

    def changes_at(self, now: float) -> float:
        """Return when what it was found to lack is believed no longer, infinity when it lacks nothing."""
        times = (self._lost_until, *self._missing.values())
        return min((time for time in times if time > now), default=inf)

    def has_model(self, now: float) -> bool:
        """Say whether the server may know the model, for all that it said lately."""
        return self._lost_until <= now

    def note_lost(self, now: float) -> None:
        """Remember for a moment that the server did not know the model."""
        self._lost_until = now + LOST_SECONDS

    def note_missing(self, endpoint: str, now: float) -> None:
        """Remember for a while that the server did not know the endpoint."""
        if len(self._missing) >= MAX_MISSING:
            self._missing.clear()
        self._missing[endpoint] = now + MISSING_SECONDS


class Needs(NamedTuple):
    """What decides which servers may serve a request: equal needs have equal prospects."""

    institution_id: str
    mode: RoutingMode
    endpoint: str
    excluded: tuple[str, ...]
    priority: int
    labels: tuple[str, ...] = ()

    def without(self, server_id: str) -> "Needs":
        return self._replace(excluded=(*self.excluded, server_id))


def find_candidates(needs: Needs, routes: Sequence[Route], now: float) -> list[Route] | RefusalCode:
    """Return the routes that meet `needs`, now or later; or why there is none."""
    institution, endpoint, excluded = needs.institution_id, needs.endpoint, needs.excluded
    found = [
        route
        for route in routes
        if route.only_for in ("", institution)
        and (not route.has_rules or route.host.guests.may_come(institution, needs.priority))
    ]
    if not found:
        in_service = any(route.host.entry.state is ServerState.LIVE for route in routes)
        return RefusalCode.RULES if in_service else RefusalCode.NO_SERVER
    if needs.mode is RoutingMode.PRIVATE_ONLY:
        found = [route for route in found if route.is_own_of(institution)]
        if not found:
            return RefusalCode.NOT_HOSTED
    if not (found := [route for route in found if route.carries(needs.labels, institution)]):
        return RefusalCode.LABELS
    found = [route for route in found if route.offers(endpoint, now)]
    if not found:
        return RefusalCode.ENDPOINT
    if excluded:
        found = [route for route in found if route.host.entry.id not in excluded]
    if not found:
        return RefusalCode.ATTEMPTS
    found = [route for route in found if route.has_model(now)]
    return found or RefusalCode.ALL_DOWN


class Prospects:
    """A model's routes, and for each kind of needs those that meet it, until something that decides it changes."""

    __slots__ = ("_found", "_until", "routes")

    def __init__(self, routes: Sequence[Route] = ()) -> None:
        self.routes = routes
        self._found: dict[Needs, Sequence[Route] | RefusalCode] = {}
        self._until = inf

    def of(self, needs: Needs, now: float) -> Sequence[Route] | RefusalCode:
        """Return the routes that meet `needs`, now or later; or why there is none."""
        if now >= self._until or len(self._found) >= MAX_REMEMBERED:
            self.forget()
        found = self._found.get(needs)
        if found is None:
            if not self._found:
                self._until = min((route.changes_at(now) for route in self.routes), default=inf)
            found = self._found[needs] = find_candidates(needs, self.routes, now)
        return found

    def forget(self) -> None:
        """A route was found to lack something, or an owner's rules are others at this hour."""
        self._found.clear()


def all_down(candidates: Sequence[Route]) -> bool:
    """Say whether every candidate is ejected, and none on trial: waiting would be in vain."""
    return all(route.host.health.state is Health.EJECTED for route in candidates)
