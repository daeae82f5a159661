"""The world around a policy: it makes clients' requests, lets clients leave, and watches from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.simulation.engine import Server
from bench.simulation.fleet import ServerSpec
from bench.simulation.policy import MakePolicy
from bench.simulation.requests import DEADLINE_SECONDS, OVER, Kind, Request, Status
from bench.simulation.timeline import Timeline

CHAT_PATIENCE, BATCH_PATIENCE = 45.0, 600.0
"""Seconds after which a client that has got nothing gives up."""
WATCH_FROM, WATCH_UNTIL, WATCH_SECONDS = 60.0, 300.0, 0.25
WAITS_SECONDS = 1.0
"""A request waits when it has had no token for so long."""
SERIES_SECONDS = 1.0

Reply = Callable[[Request], None]
"""What a client does when its request has ended."""


@dataclass
class Fault:
    """Something done to a server, for the measures."""

    server: Server
    at: float
    noticed_at: float | None = None


@dataclass
class Series:
    """What could be seen each second: for the plots, and for the engines' queues."""

    times: list[float] = field(default_factory=list)
    waiting: dict[int, list[int]] = field(default_factory=lambda: {n: [] for n in range(1, 6)})
    """By class, requests that have a client and no token yet."""
    unsent: dict[int, list[int]] = field(default_factory=lambda: {n: [] for n in range(1, 6)})
    """By class, those of them that no server has been given."""
    running: dict[str, list[int]] = field(default_factory=dict)
    """By server, requests in its engine."""
    queued: dict[str, list[int]] = field(default_factory=dict)
    """By server, requests that wait in its engine."""


class World:
    """A fleet behind one policy. `seed` decides all that is left to chance."""

    def __init__(
        self,
        make_policy: MakePolicy,
        fleet: Sequence[ServerSpec],
        seed: int,
        load: float = 1.0,
    ) -> None:
        self.timeline = Timeline()
        self.seed = seed
        self.load = load
        """Factor on the load of every scenario that arrives whatever happens (open loop)."""
        self.servers = [Server(self.timeline, spec) for spec in fleet]
        self.policy = make_policy(self.timeline, self.servers, self._settle, seed)
        self.requests: list[Request] = []
        self.fault: Fault | None = None
        self.newcomer: Server | None = None
        self.series = Series()
        self.idle = 0.0
        """Weighted idle servers, summed over the looks at which somebody waited."""
        self.looks = 0
        self._replies: dict[int, Reply] = {}
        self._open: dict[int, Request] = {}
        self.timeline.at(WATCH_FROM, self._watch)
        self.timeline.at(0.0, self._note_series)

    def ask(
        self,
        kind: Kind,
        institution: str,
        priority: int,
        session: str | None,
        prompt: float,
        output: float,
        reply: Reply | None = None,
        *,
        is_owners: bool = False,
        patience: float | None = None,
        deadline: float = DEADLINE_SECONDS,
    ) -> Request:
        """Send a request now; `reply` is called when it has ended."""
        usual = CHAT_PATIENCE if kind is Kind.CHAT else BATCH_PATIENCE
        request = Request(
            id=len(self.requests),
            arrived_at=self.timeline.now,
            institution=institution,
            priority=priority,
            kind=kind,
            session=session,
            prompt=int(prompt),
            output=max(1, int(output)),
            is_owners=is_owners,
            patience=patience or usual,
            deadline=deadline,
        )
        self.requests.append(request)
        self._open[request.id] = request
        if reply:
            self._replies[request.id] = reply
        self.timeline.after(request.patience, self._give_up, request)
        self.policy.arrive(request)
        return request

    def hang_up(self, request: Request) -> None:
        """The client leaves, whether or not it has got something."""
        if request.status not in OVER and request.is_alive:
            self._leave(request, Status.HUNG_UP)

    def add_server(self, spec: ServerSpec) -> None:
        self.newcomer = Server(self.timeline, spec)
        self.servers.append(self.newcomer)
        self.policy.join(self.newcomer)

    def note_fault(self, server: Server, at: float) -> None:
        self.fault = Fault(server, at)

    def _give_up(self, request: Request) -> None:
        if request.status in OVER or not request.is_alive:
            return
        if request.first_token_at is None or not request.is_streamed:
            self._leave(request, Status.GAVE_UP)

    def _leave(self, request: Request, status: Status) -> None:
        self.policy.cancel(request)
        request.is_alive = False
        request.left_at = self.timeline.now
        request.status = status
        self._settle(request)

    def _settle(self, request: Request) -> None:
        reply = self._replies.pop(request.id, None)
        if reply:
            reply(request)

    # Watching.

    def _watch(self) -> None:
        """Note how much of the fleet is idle while somebody waits, and whether a fault has been noticed."""
        now = self.timeline.now
        self._forget_answered()
        self.looks += 1
        if any(now - request.arrived_at > WAITS_SECONDS for request in self._open.values()):
            self.idle += sum(server.spec.weight for server in self.servers if _is_idle(server))
        self._look_for_notice(now)
        if now < WATCH_UNTIL:
            self.timeline.after(WATCH_SECONDS, self._watch)

    def _forget_answered(self) -> None:
        over = [key for key, request in self._open.items() if _has_answer(request)]
        for key in over:
            del self._open[key]

    def _look_for_notice(self, now: float) -> None:
        fault = self.fault
        if fault is None or fault.noticed_at is not None or now <= fault.at:
            return
        if fault.server.name in self.policy.away():
            fault.noticed_at = now

    def _note_series(self) -> None:
        series = self.series
        self._forget_answered()
        series.times.append(self.timeline.now)
        waiting, unsent = dict.fromkeys(range(1, 6), 0), dict.fromkeys(range(1, 6), 0)
        for request in self._open.values():
            waiting[request.priority] += 1
            unsent[request.priority] += request.status is not Status.SENT
        for level in range(1, 6):
            series.waiting[level].append(waiting[level])
            series.unsent[level].append(unsent[level])
        for server in self.servers:
            series.running.setdefault(server.name, []).append(server.running)
            series.queued.setdefault(server.name, []).append(len(server.waiting))
        self.timeline.after(SERIES_SECONDS, self._note_series)


def _has_answer(request: Request) -> bool:
    is_over = request.status in OVER or not request.is_alive
    return request.first_token_at is not None or is_over


def _is_idle(server: Server) -> bool:
    return server.is_up and not server.is_hung and not server.running and not server.waiting
