"""aristote-dispatcher, the predecessor: a server is chosen first, then accepted or the request sleeps a second.

Round-robin with a threshold on parallel requests, or least-busy by the p95 of vLLM's histogram of times to the
first token. Counts are forced down after 15 s (`VLLM_TREATMENT_TIMEOUT_SECONDS`), so they do not hold under load;
the two highest classes pass any threshold. What sleeps loses its place.
"""

import bisect
from collections import defaultdict, deque
from collections.abc import Sequence

from bench.simulation.engine import Server
from bench.simulation.peers.base import Peer
from bench.simulation.policy import Settle
from bench.simulation.requests import Request
from bench.simulation.timeline import Timeline

PARALLEL = 100
COUNTED_SECONDS = 15.0
SLEEP_SECONDS = 1.0
BYPASS = 4
"""Classes from here on pass any threshold."""


class Aristote(Peer):
    title = "aristote RR+requeue"
    _turn = 0

    def __init__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> None:
        super().__init__(timeline, servers, settle, seed)
        self._counted: dict[str, set[int]] = defaultdict(set)

    def pick(self, request: Request) -> Server:
        return self.choose()[0]

    def choose(self) -> tuple[Server, float | None]:
        """Return the next server, with what the strategy knows of its performance."""
        live = self.live()
        self._turn += 1
        return live[self._turn % len(live)], None

    def performance(self, server: Server) -> float | None:
        return None

    def accepts(self, request: Request, server: Server, performance: float | None) -> bool:
        return request.priority >= BYPASS or len(self._counted[server.name]) < PARALLEL

    def arrive(self, request: Request, *, is_first: bool = True) -> None:
        if not request.is_alive:
            return
        own = [each for each in self.live() if each.owner == request.institution]
        if is_first and request.is_owners and own:  # one try, then the common queue
            server, performance = own[0], self.performance(own[0])
        else:
            server, performance = self.choose()
        if self.accepts(request, server, performance):
            counted = self._counted[server.name]
            counted.add(request.id)
            self.timeline.after(COUNTED_SECONDS, counted.discard, request.id)
            self.send(request, server)
        else:
            self.timeline.after(SLEEP_SECONDS, self._try_again, request)

    def left(self, request: Request, server: Server) -> None:
        super().left(request, server)
        self._counted[server.name].discard(request.id)

    def _try_again(self, request: Request) -> None:
        self.arrive(request, is_first=False)


class AristoteTuned(Aristote):
    """With the best limit per server that an operator could have set by hand."""

    title = "aristote RR+requeue, tuned limits"

    def accepts(self, request: Request, server: Server, performance: float | None) -> bool:
        limit = server.spec.hand_set_limit
        return request.priority >= BYPASS or len(self._counted[server.name]) < limit


BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20),
    *(40, 80, 160, 640, 2560),
)
"""Upper bounds in seconds of vLLM's histogram `time_to_first_token_seconds`."""
WINDOW_SECONDS = 24.0
UNKNOWN = -1.0
THRESHOLD = 5.0
"""Seconds; the default, 0.1, would refuse everything here."""


class AristoteLeastBusy(Aristote):
    title = "aristote least-busy"

    def __init__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> None:
        super().__init__(timeline, servers, settle, seed)
        self._seen = {server.name: deque[tuple[float, float]]() for server in servers}
        self._score = {server.name: UNKNOWN for server in servers}
        self._refresh()

    def choose(self) -> tuple[Server, float | None]:
        known = [server for server in self.live() if server.spec.has_metrics]
        unseen = [server for server in known if self._score[server.name] == UNKNOWN]
        if unseen:
            return unseen[-1], UNKNOWN
        lowest = min(self._score[server.name] for server in known)
        best = [server for server in known if self._score[server.name] == lowest]
        return self.random.choice(best), lowest

    def performance(self, server: Server) -> float | None:
        return self._score[server.name] if server.spec.has_metrics else None

    def accepts(self, request: Request, server: Server, performance: float | None) -> bool:
        if performance is None:
            return True
        return performance <= THRESHOLD and len(self._counted[server.name]) < PARALLEL

    def first_token(self, request: Request, server: Server) -> None:
        super().first_token(request, server)
        assert request.first_token_at is not None
        assert request.sent_at is not None
        place = bisect.bisect_left(BUCKETS, request.first_token_at - request.sent_at)
        bucket = BUCKETS[min(place, len(BUCKETS) - 1)]
        self._seen[server.name].append((self.timeline.now, bucket))

    def join(self, server: Server) -> None:
        super().join(server)
        self._seen[server.name] = deque()
        self._score[server.name] = UNKNOWN

    def _refresh(self) -> None:
        for server in self.servers:
            seen = self._seen[server.name]
            while seen and seen[0][0] < self.timeline.now - WINDOW_SECONDS:
                seen.popleft()
            buckets = sorted(bucket for _, bucket in seen)
            last = len(buckets) - 1
            self._score[server.name] = buckets[int(0.95 * last)] if buckets else UNKNOWN
        self.timeline.after(SLEEP_SECONDS, self._refresh)
