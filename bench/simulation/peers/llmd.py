"""llm-d / Gateway API Inference Extension: flow control before a pool of servers (as of 2026-05).

Strict bands of priority, turns between the flows (institutions) of a band, first come first served in a flow; one
gate for the whole pool, by the unweighted mean of its servers' saturation, a server without metrics counting as
saturated; then scorers choose a server: prefix 3, queue 2, KV cache 2. Gauges are refreshed each 50 ms.
"""

from collections import defaultdict, deque
from collections.abc import Sequence

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.policy import Settle
from bench.simulation.requests import Request
from bench.simulation.timeline import Timeline

REFRESH_SECONDS = 0.05
BURST = 50
"""One request each millisecond between two refreshes."""
MOST_QUEUED, MOST_MEMORY = 5, 0.8
PREFIX, QUEUE, MEMORY, ACTIVE = 3, 2, 2, 2
"""Weights of the scorers."""
MOST_PARALLEL = 100


class FlowControl(Peer):
    title = "llm-d flow control"
    ping_seconds = 10.0

    def __init__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> None:
        super().__init__(timeline, servers, settle, seed)
        self._bands: dict[int, dict[str, deque[Request]]] = defaultdict(lambda: defaultdict(deque))
        self._turn: dict[int, int] = defaultdict(int)
        self.queued = {server.name: 0 for server in servers}
        self.memory = {server.name: 0.0 for server in servers}
        self.last_server: dict[str | None, str] = {}
        self._refresh()

    def saturation(self) -> float:
        """Return how full the pool is; nothing is sent from 1 on."""
        live = self.live()
        total = sum((self._fullness(server) for server in live), 0.0)
        return total / len(live)

    def arrive(self, request: Request) -> None:
        self._bands[request.priority][request.institution].append(request)
        self.dispatch()

    def join(self, server: Server) -> None:
        super().join(server)
        self.queued[server.name] = 0
        self.memory[server.name] = 0.0

    def dispatch(self, most: int = 1) -> None:
        while self.saturation() < 1.0 and most > 0:
            most -= 1
            request = self._next()
            if request is None:
                return
            if request.is_alive:
                self.send(request, self.pick(request))

    def pick(self, request: Request) -> Server:
        known = [server for server in self.live() if server.spec.has_metrics]
        open_to_all = [
            server
            for server in known
            if self.queued[server.name] < MOST_QUEUED and self.memory[server.name] < MOST_MEMORY
        ]
        options = open_to_all or known
        queues = self._queue_scores(options)
        last = self.last_server.get(request.session)
        best = max(
            options,
            key=lambda each: (
                PREFIX * (1.0 if last == each.name else 0.0)
                + QUEUE * queues[each.name]
                + MEMORY * (1 - self.memory[each.name]),
                self.random.random(),
            ),
        )
        self.last_server[request.session] = best.name
        return best

    def _fullness(self, server: Server) -> float:
        if not server.spec.has_metrics:
            return 1.0
        return max(self.queued[server.name] / MOST_QUEUED, self.memory[server.name] / MOST_MEMORY)

    def _queue_scores(self, options: Sequence[Server]) -> dict[str, float]:
        """Return 1 for the shortest queue, 0 for the longest."""
        lengths = {server.name: self.queued[server.name] for server in options}
        shortest, longest = min(lengths.values()), max(lengths.values())
        if shortest == longest:
            return dict.fromkeys(lengths, 1.0)
        return {name: (longest - length) / (longest - shortest) for name, length in lengths.items()}

    def _next(self) -> Request | None:
        """Take the request whose turn it is."""
        for band in sorted(self._bands, reverse=True):
            flows = sorted(flow for flow, queue in self._bands[band].items() if queue)
            if flows:
                self._turn[band] += 1
                return self._bands[band][flows[self._turn[band] % len(flows)]].popleft()
        return None

    def _refresh(self) -> None:
        for server in self.servers:
            if server.spec.has_metrics:
                self.queued[server.name] = len(server.waiting)
                self.memory[server.name] = server.memory_use
        self.dispatch(BURST)
        self.timeline.after(REFRESH_SECONDS, self._refresh)


class Concurrency(FlowControl):
    """With the concurrency detector: at most so many requests in flight, on average. Never stale, blind to size."""

    title = "llm-d, concurrency detector"

    def limit(self, server: Server) -> int:
        return MOST_PARALLEL

    def saturation(self) -> float:
        live = self.live()
        running = sum(self.running[server.name] for server in live)
        return running / sum(self.limit(server) for server in live)

    def finished(self, request: Request, server: Server) -> None:
        super().finished(request, server)
        self.dispatch()

    def pick(self, request: Request) -> Server:
        options = self._below_limit()
        busiest = max(self.running[server.name] for server in options) or 1
        queues = self._queue_scores(options)
        last = self.last_server.get(request.session)
        best = max(
            options,
            key=lambda each: (
                PREFIX * (1.0 if last == each.name else 0.0)
                + ACTIVE * (1 - self.running[each.name] / busiest)
                + QUEUE * queues[each.name],
                self.random.random(),
            ),
        )
        self.last_server[request.session] = best.name
        return best

    def _below_limit(self) -> Sequence[Server]:
        live = self.live()
        below = [server for server in live if self.running[server.name] < self.limit(server)]
        return below or live


class Oracle(Concurrency):
    """The same with a limit per server set by hand, which its configuration cannot express."""

    title = "llm-d, tuned limit per server"

    def limit(self, server: Server) -> int:
        return server.spec.hand_set_limit

    def pick(self, request: Request) -> Server:
        last = self.last_server.get(request.session)
        best = max(
            self._below_limit(),
            key=lambda each: (
                PREFIX * (1.0 if last == each.name else 0.0)
                + ACTIVE * (1 - self.running[each.name] / self.limit(each)),
                self.random.random(),
            ),
        )
        self.last_server[request.session] = best.name
        return best
