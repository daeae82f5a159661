"""Probes for the core: a request for one token, to each server that the core wants looked after."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count

from bench.simulation.engine import Server
from bench.simulation.requests import Kind, Request
from bench.simulation.timeline import Timeline
from routing.core.assignment import Decider
from routing.core.request import Decision
from routing.core.retry import Failure

LOOK_SECONDS = 0.25
PROMPT, PATIENCE = 10, 5.0
"""Tokens of a probe, and the seconds for which its answer is waited for."""


class Prober:
    """Its requests have ids below 0; whoever hears of one's end asks `ended` first."""

    def __init__(
        self,
        timeline: Timeline,
        decider: Decider,
        servers: Mapping[str, Server],
        carry_out: Callable[[Iterable[Decision]], None],
    ) -> None:
        self._timeline = timeline
        self._decider = decider
        self._servers = servers
        self._carry_out = carry_out
        self._probes: dict[int, Server] = {}
        self._ids = count(-1, -1)
        timeline.after(LOOK_SECONDS, self._look)

    @property
    def in_flight(self) -> int:
        return len(self._probes)

    def ended(self, request: Request, failure: Failure | None) -> bool:
        """Tell the core what a probe found; False when `request` is none."""
        server = self._probes.pop(request.id, None)
        if server is None:
            return False
        now = self._timeline.now
        found = self._decider.probed(server.name, ok=failure is None, failure=failure, now=now)
        self._carry_out(found)
        return True

    def _look(self) -> None:
        for name in self._decider.probes_due(self._timeline.now):
            self._send(self._servers[name])
        self._timeline.after(LOOK_SECONDS, self._look)

    def _send(self, server: Server) -> None:
        probe = Request(
            id=next(self._ids),
            arrived_at=self._timeline.now,
            institution="",
            priority=5,
            kind=Kind.BATCH,
            session=None,
            prompt=PROMPT,
            output=1,
        )
        self._probes[probe.id] = server
        server.submit(probe)
        self._timeline.after(PATIENCE, self._give_up, probe, server)

    def _give_up(self, probe: Request, server: Server) -> None:
        if probe.id in self._probes:
            server.abort(probe)
            self.ended(probe, Failure.TIMEOUT)
