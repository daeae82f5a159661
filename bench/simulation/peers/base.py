"""What the peers have in common: they count what they have in flight, ping their servers, and some retry."""

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence

from bench.simulation.engine import Fault, Server
from bench.simulation.policy import Settle
from bench.simulation.requests import Request, Status
from bench.simulation.timeline import Timeline

BREAKER_SECONDS = 30.0


class Peer(ABC):
    """Sends each request on at once to the server that `pick` names; a subclass may let it wait before."""

    title = ""
    ping_seconds = 30.0
    retries = 0
    breaker = 0
    """Failures in a row after which a server rests for `BREAKER_SECONDS`; 0 when it never does."""

    def __init__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> None:
        self.timeline = timeline
        self.settle = settle
        self.servers = list(servers)
        self.random = random.Random(seed)
        self.running = {server.name: 0 for server in servers}
        self.is_healthy = {server.name: True for server in servers}
        self._failures: dict[str, int] = defaultdict(int)
        for server in servers:
            server.router = self
        timeline.after(self.ping_seconds, self._ping)

    @abstractmethod
    def pick(self, request: Request) -> Server:
        """Return the server to send `request` to."""

    def arrive(self, request: Request) -> None:
        self.send(request, self.pick(request))

    def cancel(self, request: Request) -> None:
        if request.status is Status.SENT:
            assert request.server is not None
            request.server.abort(request)
            self.left(request, request.server)
        request.is_alive = False

    def join(self, server: Server) -> None:
        server.router = self
        self.servers.append(server)
        self.running[server.name] = 0
        self.is_healthy[server.name] = True

    def away(self) -> set[str]:
        return {name for name, is_healthy in self.is_healthy.items() if not is_healthy}

    def in_flight(self) -> int:
        return sum(self.running.values())

    # What servers tell.

    def first_token(self, request: Request, server: Server) -> None:
        self._failures[server.name] = 0

    def finished(self, request: Request, server: Server) -> None:
        self.left(request, server)
        self.settle(request)

    def failed(self, request: Request, server: Server, fault: Fault) -> None:
        self.left(request, server)
        self._failures[server.name] += 1
        if self._breaks(server):
            self.is_healthy[server.name] = False
            self.timeline.after(BREAKER_SECONDS, self._half_open, server)
        may_retry = request.first_token_at is None and request.attempts <= self.retries
        if may_retry and request.is_alive:
            self.send(request, self.pick(request))
            return
        request.status = Status.ERROR
        self.settle(request)

    # For subclasses.

    def live(self) -> list[Server]:
        """Return the servers believed to be well; all when none is."""
        return [server for server in self.servers if self.is_healthy[server.name]] or self.servers

    def send(self, request: Request, server: Server) -> None:
        self.running[server.name] += 1
        request.sent_at = self.timeline.now
        if request.decided_at is None:
            request.decided_at = self.timeline.now
        request.attempts += 1
        request.server = server
        server.submit(request)

    def left(self, request: Request, server: Server) -> None:
        """A request is at `server` no more."""
        self.running[server.name] -= 1

    def _breaks(self, server: Server) -> bool:
        if not self.breaker or not self.is_healthy[server.name]:
            return False
        return self._failures[server.name] >= self.breaker

    def _half_open(self, server: Server) -> None:
        self.is_healthy[server.name] = True
        self._failures[server.name] = max(0, self.breaker - 1)

    def _ping(self) -> None:
        """Ask for the list of models, which a server answers also when its engine hangs."""
        for server in self.servers:
            self.is_healthy[server.name] = server.is_up
        self.timeline.after(self.ping_seconds, self._ping)
