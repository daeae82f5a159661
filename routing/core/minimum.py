"""Critical models: whether the minimum of healthy servers at distinct sites is there, and what follows when it is not.

A model that has fallen below its minimum keeps what is left for its protected classes: lower ones that cannot start
at once are refused, and where a server has other models too, protected requests go before theirs. When nobody can
serve, another model stands in, if one is declared. What runs is never cut. Not here: who is told (`routing.bridge`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from routing.core.candidates import Route, all_down
from routing.core.enums import Health
from routing.core.request import MinimumLoad, RefusalCode
from routing.core.table import Minimum

if TYPE_CHECKING:
    from routing.core.queueing import Request, Room

BEGINS_AFTER = 3.0
"""Seconds below the minimum before anybody is refused for it: longer than a first ejection, which may be a hiccup."""
ENDS_AFTER = 30.0
"""Seconds for which the minimum must be there again: a server that comes and goes must not let classes come and go."""
_NOBODY = frozenset({RefusalCode.NO_SERVER, RefusalCode.ALL_DOWN})
_TRIED = frozenset({RefusalCode.ATTEMPTS, RefusalCode.RETRY_BUDGET})


class Watch:
    """A critical model's standing. `look` before it is asked: it is told the time, and remembers since when."""

    __slots__ = ("_since", "is_met", "minimum", "servers", "sheds", "sites")

    def __init__(self, minimum: Minimum, now: float) -> None:
        self.minimum = minimum
        self.servers = self.sites = 0
        self.is_met = True
        self.sheds = False
        """Whether lower classes make way."""
        self._since = now

    def look(self, routes: Sequence[Route], now: float) -> None:
        """Count again, and go by how long it has been so."""
        hosts = {route.host.entry.id: route.host.entry for route in routes if counts(route, now)}
        self.servers = len(hosts)
        self.sites = len({(entry.institution_id, entry.site) for entry in hosts.values()})
        least = self.minimum
        is_met = self.servers >= least.servers and self.sites >= least.sites
        if is_met is not self.is_met:
            self.is_met, self._since = is_met, now
        if now - self._since >= (ENDS_AFTER if is_met else BEGINS_AFTER):
            self.sheds = not is_met

    def protects(self, priority: int) -> bool:
        """Say whether a class goes before all others at present."""
        return self.sheds and priority >= self.minimum.protected_class

    def retry_seconds(self, now: float) -> float:
        """Return how long lower classes are refused for certain."""
        return ENDS_AFTER - (now - self._since if self.is_met else 0.0)

    def load(self, now: float) -> MinimumLoad:
        return MinimumLoad(
            servers=self.servers,
            sites=self.sites,
            least_servers=self.minimum.servers,
            least_sites=self.minimum.sites,
            is_met=self.is_met,
            sheds=self.sheds,
            since_ms=round((now - self._since) * 1000),
        )


def counts(route: Route, now: float) -> bool:
    """Say whether a server is there for everybody: in service, healthy, and with the model."""
    return not route.only_for and route.host.health.state is Health.HEALTHY and route.has_model(now)


def to_shed(room: "Room", now: float) -> list["Request"]:
    """Return who makes way among those who wait, the lowest class first.

    An owner keeps its right to its own server: it waits for that.
    """
    watch = room.watch
    if watch is None or not watch.sheds or not room:
        return []
    lower = sorted(level for level in room.classes if not watch.protects(level))
    return [
        request
        for level in lower
        for institution in room.institutions(level)
        for line in room.lines(level, institution)
        for request in line
        if not _waits_for_its_own(request, now)
    ]


def _waits_for_its_own(request: "Request", now: float) -> bool:
    if not request.is_owner:
        return False
    found = request.room.prospects.of(request.needs, now)
    return not isinstance(found, RefusalCode) and any(
        route.is_own_of(request.ticket.institution_id) for route in found
    )


def stand_in(request: "Request", code: RefusalCode, now: float) -> str | None:
    """Return the model that may serve what is refused, when no server of its own model could, or each has failed it."""
    minimum = request.room.model.minimum
    if minimum is None or minimum.fallback_id is None:
        return None
    if code in _NOBODY or (code in _TRIED and _is_left_alone(request, now)):
        return minimum.fallback_id
    return None


def _is_left_alone(request: "Request", now: float) -> bool:
    found = request.room.prospects.of(request.needs, now)
    if isinstance(found, RefusalCode):
        return found in _NOBODY | {RefusalCode.ATTEMPTS}
    return all_down(found)
