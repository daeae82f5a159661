"""Least busy by vLLM's gauges as scraped each second, without correction by what was sent since: shows herding."""

from collections.abc import Sequence

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.policy import Settle
from bench.simulation.requests import Request
from bench.simulation.timeline import Timeline

SCRAPE_SECONDS = 1.0
WAITING_WEIGHT = 4


class StaleGauges(Peer):
    title = "least-busy, 1 s stale"

    def __init__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> None:
        super().__init__(timeline, servers, settle, seed)
        self._busy = {server.name: 0 for server in servers}
        self._scrape()

    def pick(self, request: Request) -> Server:
        return min(self.live(), key=lambda each: (self._busy[each.name], self.random.random()))

    def join(self, server: Server) -> None:
        super().join(server)
        self._busy[server.name] = 0

    def _scrape(self) -> None:
        for server in self.servers:
            if server.spec.has_metrics:
                waiting = len(server.waiting)
                self._busy[server.name] = server.running + WAITING_WEIGHT * waiting
            else:
                self._busy[server.name] = self.running[server.name]
        self.timeline.after(SCRAPE_SECONDS, self._scrape)
