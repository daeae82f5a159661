"""Which servers may serve a request, which of them could start it now, or why none ever will.

Reads only. Not here: the choice among them (`selection`), what changes their load (`assignment`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from routing.core.enums import Health, RoutingMode, ServerState
from routing.core.health import ServerHealth
from routing.core.request import RefusalCode
from routing.core.table import Deployment, Server

MISSING_SECONDS = 120.0
"""How long it is believed that a deployment lacks an endpoint, after its server said so."""
MAX_MISSING = 100
"""Endpoints remembered as missing per deployment: their names come from clients."""

NO_LIMIT = 1 << 30


class Host:
    """A server with what the router knows of it now. `in_flight` counts the requests of all its models."""

    __slots__ = ("entry", "health", "in_flight", "limit")

    def __init__(self, entry: Server) -> None:
        self.entry = entry
        self.limit = entry.max_parallel or NO_LIMIT
        self.health = ServerHealth()
        self.in_flight = 0

    def update(self, entry: Server) -> None:
        """Take over what the register says now; behind another address or token, health starts anew."""
        if _way_to(entry) != _way_to(self.entry):
            self.health = ServerHealth()
        self.entry = entry
        self.limit = entry.max_parallel or NO_LIMIT

    def has_room(self, now: float) -> bool:
        """Say whether the server is healthy and may be given one request more."""
        if self.in_flight >= self.limit:
            return False
        return not self.health.restrained or self.health.admits(self.in_flight, now)

    def may_be_tried(self, now: float) -> bool:
        """Say whether one request may find out if the ejected server is back."""
        return self.in_flight < self.limit and self.health.is_due(now)

    @property
    def takes_requests(self) -> bool:
        """Whether it is in service at all. Staging servers are, for their own institution: it tries them out."""
        return self.entry.state in (ServerState.LIVE, ServerState.STAGING)

    @property
    def is_available(self) -> bool:
        return self.entry.state is ServerState.LIVE and self.health.state is Health.HEALTHY


class Route:
    """A way to serve a model: a deployment on its host. Made anew when the table changes.

    `only_for` is the institution that a server still in staging is reserved for, "" when it serves all.
    """

    __slots__ = ("_missing", "deployment", "host", "key", "only_for")

    def __init__(self, deployment: Deployment, host: Host) -> None:
        self.deployment = deployment
        self.host = host
        self.key = f"{host.entry.id} {deployment.id}"
        is_live = host.entry.state is ServerState.LIVE
        self.only_for = "" if is_live else host.entry.institution_id
        self._missing: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        return self.host.in_flight

    def is_own_of(self, institution_id: str) -> bool:
        return self.host.entry.institution_id == institution_id

    def offers(self, endpoint: str, now: float) -> bool:
        """Say whether the deployment may know the endpoint: declared, or undeclared and not found missing."""
        declared = self.deployment.endpoints
        if declared and endpoint not in declared:
            return False
        return not self._missing or self._missing.get(endpoint, now) <= now

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

    def without(self, server_id: str) -> "Needs":
        return self._replace(excluded=(*self.excluded, server_id))


def find_candidates(needs: Needs, routes: Sequence[Route], now: float) -> list[Route] | RefusalCode:
    """Return the routes that meet `needs`, now or later; or why there is none."""
    institution, mode, endpoint, excluded = needs
    found = [route for route in routes if route.only_for in ("", institution)]
    if not found:
        return RefusalCode.NO_SERVER
    if mode is RoutingMode.PRIVATE_ONLY:
        found = [route for route in found if route.is_own_of(institution)]
        if not found:
            return RefusalCode.NOT_HOSTED
    found = [route for route in found if route.offers(endpoint, now)]
    if not found:
        return RefusalCode.ENDPOINT
    if excluded:
        found = [route for route in found if route.host.entry.id not in excluded]
    return found or RefusalCode.ATTEMPTS


def open_among(candidates: Sequence[Route], needs: Needs, now: float) -> Sequence[Route]:
    """Return the candidates that could start a request now; empty when it has to wait.

    An ejected server that is due is tried only when no healthy one has room: probes find out at nobody's risk.
    """
    ready = [route for route in candidates if route.host.has_room(now)]
    if not ready:
        return [route for route in candidates if route.host.may_be_tried(now)]
    if needs.mode is RoutingMode.PRIVATE_FIRST:
        own = [route for route in ready if route.is_own_of(needs.institution_id)]
        return own or ready
    return ready


def all_down(candidates: Sequence[Route]) -> bool:
    """Say whether every candidate is ejected, and none on trial: waiting would be in vain."""
    return all(route.host.health.state is Health.EJECTED for route in candidates)


def _way_to(entry: Server) -> tuple[object, ...]:
    return entry.base_url, entry.credential, entry.ca_bundle, entry.grants
