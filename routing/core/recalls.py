"""Attempts that are taken back, so that the gateway tries them elsewhere. Reads only; `assignment` asks."""

from collections.abc import Iterable, Mapping

from routing.core.enums import Health
from routing.core.host import Host, Run
from routing.core.queueing import Request
from routing.core.request import Recall, RefusalCode
from routing.core.retry import MAX_ATTEMPTS, Failure


def recalls(requests: Mapping[str, Request], runs: Iterable[Run], why: Failure) -> list[Recall]:
    """Take attempts back; from a queue once only: a server may after all be slow."""
    grants = [grant for run in runs if (grant := requests[run.id].grant)]
    return [
        Recall(id=grant.id, attempt=grant.attempt, why=why)
        for grant in grants
        if why is Failure.TIMEOUT or grant.attempt == 1
    ]


def to_move(requests: Mapping[str, Request], host: Host, now: float) -> list[Run]:
    """Return what hangs at a server that two probes in a row found gone, where another one could do it."""
    return [run for run in host.unseen if _is_wanted_elsewhere(requests[run.id], host, now)]


def _is_wanted_elsewhere(request: Request, host: Host, now: float) -> bool:
    if request.failures + 1 >= MAX_ATTEMPTS:
        return False
    others = request.needs.without(host.entry.id)
    found = request.room.prospects.of(others, now)
    return not isinstance(found, RefusalCode) and any(
        route.host.health.state is Health.HEALTHY for route in found
    )
