"""KubeAI: consistent hashing with bounded loads over conversations; load factor 1.25, 256 virtual nodes each."""

import bisect
import hashlib
from collections.abc import Sequence

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.policy import Settle
from bench.simulation.requests import Request
from bench.simulation.timeline import Timeline

LOAD_FACTOR = 1.25
VIRTUAL_NODES = 256


class BoundedHashing(Peer):
    title = "prefix CHWBL (KubeAI)"
    retries = 3
    breaker = 5

    def __init__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> None:
        super().__init__(timeline, servers, settle, seed)
        self._build_ring()

    def pick(self, request: Request) -> Server:
        start = bisect.bisect(self._keys, _hash(str(request.session)))
        bound = LOAD_FACTOR * (self.in_flight() + 1) / len(self.live())
        first: Server | None = None
        for step in range(len(self._ring)):
            server = self._ring[(start + step) % len(self._ring)]
            if not self.is_healthy[server.name]:
                continue
            first = first or server
            if self.running[server.name] <= bound:
                return server
        return first or self.servers[0]

    def join(self, server: Server) -> None:
        super().join(server)
        self._build_ring()

    def _build_ring(self) -> None:
        nodes = sorted(
            (_hash(f"{server.name}{number}"), index)
            for index, server in enumerate(self.servers)
            for number in range(VIRTUAL_NODES)
        )
        self._keys = [key for key, _ in nodes]
        self._ring = [self.servers[index] for _, index in nodes]


def _hash(text: str) -> int:
    return int(hashlib.md5(text.encode()).hexdigest()[:15], 16)
