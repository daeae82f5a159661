"""The real core, driven as the router drives it: tickets and events in, decisions out. Nothing is decided here.

It hears what a router hears and no more: first tokens and progress of streams, gauges each second, how requests
ended, what probes found.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence

from bench.simulation.engine import Fault, Server
from bench.simulation.policy import Settle
from bench.simulation.probing import Prober
from bench.simulation.requests import Request, Status
from bench.simulation.signals import Tap, gauges_of
from bench.simulation.tables import table_of, ticket_of
from bench.simulation.timeline import Timeline
from routing.core.assignment import Decider
from routing.core.enums import Health, Limiting, Strategy
from routing.core.request import (
    OK,
    UNUSED,
    Decision,
    Ended,
    FirstToken,
    Grant,
    Recall,
    Refusal,
    RefusalCode,
)
from routing.core.retry import Failure

PROGRESS_SECONDS, GAUGES_SECONDS = 0.5, 1.0
TICK_SECONDS = 0.5
"""Time is told at least so often while something waits or runs."""
LEAST_TIMER = 0.001
USUAL_RETRY_AFTER = 5.0
"""What the gateway says when the core knows no time."""
FAILURES = {Fault.REFUSED: Failure.CONNECT, Fault.RESET: Failure.LOST}


class Ours:
    """One `Decider`, with one model on every server."""

    def __init__(
        self,
        timeline: Timeline,
        servers: Sequence[Server],
        settle: Settle,
        seed: int,
        *,
        title: str = "ours",
        strategy: Strategy = Strategy.AFFINITY,
        limiting: Limiting = Limiting.LEARNT,
    ) -> None:
        self.title = title
        self._timeline = timeline
        self._settle = settle
        self._strategy, self._limiting = strategy, limiting
        self._servers: dict[str, Server] = {}
        self._taps: dict[str, Tap] = {}
        self._waiting: dict[int, Request] = {}
        self._sent: dict[int, Grant] = {}
        self._requests: dict[str, Request] = {}
        self._timer_at = math.inf
        self._decider = Decider()
        self._tables = 0
        self._take_in(servers)
        timeline.after(PROGRESS_SECONDS, self._tell_progress)
        timeline.after(GAUGES_SECONDS, self._tell_gauges)
        self._prober = Prober(timeline, self._decider, self._servers, self._carry_out)

    # What clients do.

    def arrive(self, request: Request) -> None:
        self._requests[str(request.id)] = request
        self._wait(request)
        self._carry_out(self._decider.offer(ticket_of(request), self._timeline.now))

    def cancel(self, request: Request) -> None:
        now = self._timeline.now
        grant = self._sent.get(request.id)
        if grant is None:
            del self._waiting[request.id]
            self._forget(request)
            self._carry_out(self._decider.withdraw(str(request.id), now))
            return
        server = self._servers[grant.server_id]
        written = server.written_for(request)
        server.abort(request)
        is_answered = request.is_streamed and request.first_token_at is not None
        self._end(
            request,
            OK if is_answered else UNUSED,
            prompt_tokens=request.prompt,
            completion_tokens=written if is_answered else 0,
        )

    def join(self, server: Server) -> None:
        self._take_in([server])

    def away(self) -> set[str]:
        servers = self._decider.load(self._timeline.now).servers
        return {name for name, load in servers.items() if load.health != Health.HEALTHY}

    def in_flight(self) -> int:
        """Return what it has at servers, by the core's count; who waits in vain for the core counts too."""
        load = self._decider.load(self._timeline.now)
        waiting = sum(model.waiting for model in load.models.values())
        at_servers = sum(server.in_flight for server in load.servers.values())
        return at_servers + self._prober.in_flight + waiting - len(self._waiting)

    # What servers do.

    def first_token(self, request: Request, server: Server) -> None:
        if not request.is_streamed:
            return  # The answer is not read before it is complete.
        now, grant = self._timeline.now, self._sent[request.id]
        self._taps[server.name].first_token(request.id, now)
        after_ms = round((now - request.arrived_at) * 1000)
        event = FirstToken(id=grant.id, attempt=grant.attempt, after_ms=after_ms)
        self._carry_out(self._decider.report(event, now))

    def finished(self, request: Request, server: Server) -> None:
        if self._prober.ended(request, None):
            return
        self._end(
            request,
            OK,
            prompt_tokens=request.prompt,
            cached_tokens=request.cached,
            completion_tokens=request.output,
        )
        self._settle(request)

    def failed(self, request: Request, server: Server, fault: Fault) -> None:
        if self._prober.ended(request, FAILURES[fault]):
            return
        grant = self._sent.get(request.id)
        if grant is not None and grant.server_id == server.name:
            self._carry_out(self._fail(request, FAILURES[fault]))

    # What the core decides.

    def _carry_out(self, decisions: Iterable[Decision]) -> None:
        todo = deque(decisions)
        while todo:
            decision = todo.popleft()
            match decision:
                case Grant():
                    self._send(decision)
                case Refusal():
                    self._refuse(decision)
                case Recall():
                    todo.extend(self._take_back(decision))
        self._set_timer()

    def _send(self, grant: Grant) -> None:
        request = self._requests[grant.id]
        del self._waiting[request.id]
        assert grant.attempt == request.attempts + 1, grant
        now = self._timeline.now
        request.attempts = grant.attempt
        request.sent_at = now
        if request.decided_at is None:
            request.decided_at = now
        self._sent[request.id] = grant
        server = request.server = self._servers[grant.server_id]
        if request.is_streamed:
            self._taps[server.name].open(request.id)
        server.submit(request)

    def _refuse(self, refusal: Refusal) -> None:
        request = self._requests[refusal.id]
        del self._waiting[request.id]
        self._forget(request)
        now = self._timeline.now
        if request.attempts and refusal.code is not RefusalCode.FULL:
            request.status = Status.ERROR  # The client hears of the last attempt's failure.
        else:
            request.status = Status.REFUSED
            request.refused_at = now
            request.retry_after = _told(refusal.retry_after_ms)
        if request.decided_at is None:
            request.decided_at = now
        self._settle(request)

    def _take_back(self, recall: Recall) -> Sequence[Decision]:
        request = self._requests[recall.id]
        grant = self._sent[request.id]
        assert recall.attempt == grant.attempt, recall
        self._servers[grant.server_id].abort(request)
        return self._fail(request, recall.why)

    def _fail(self, request: Request, failure: Failure) -> Sequence[Decision]:
        """An attempt has failed: another may follow, unless the client has got a part of it."""
        if request.is_streamed and request.first_token_at is not None:
            self._end(request, failure)
            request.status = Status.ERROR
            self._settle(request)
            return []
        grant = self._leave_server(request)
        request.forget_attempt()
        self._wait(request)
        return self._decider.retry(grant.id, grant.attempt, failure, self._timeline.now)

    # What is kept of it.

    def _wait(self, request: Request) -> None:
        request.status = Status.QUEUED
        self._waiting[request.id] = request

    def _end(
        self,
        request: Request,
        outcome: str,
        *,
        prompt_tokens: int = 0,
        cached_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        grant = self._leave_server(request)
        self._forget(request)
        event = Ended(
            id=grant.id,
            attempt=grant.attempt,
            outcome=outcome,
            prompt_tokens=prompt_tokens,
            cached_tokens=cached_tokens,
            completion_tokens=completion_tokens,
        )
        self._carry_out(self._decider.report(event, self._timeline.now))

    def _leave_server(self, request: Request) -> Grant:
        grant = self._sent.pop(request.id)
        self._taps[grant.server_id].close(request.id, self._timeline.now)
        return grant

    def _forget(self, request: Request) -> None:
        del self._requests[str(request.id)]

    def _take_in(self, servers: Iterable[Server]) -> None:
        for server in servers:
            server.router = self
            self._servers[server.name] = server
            self._taps[server.name] = Tap(server)
        self._tables += 1
        table = table_of(self._servers.values(), self._strategy, self._limiting, self._tables)
        self._carry_out(self._decider.replace_table(table, self._timeline.now))

    # What time brings.

    def _tell_progress(self) -> None:
        now = self._timeline.now
        for tap in self._taps.values():
            if progress := tap.progress(now):
                self._carry_out(self._decider.report(progress, now))
        self._timeline.after(PROGRESS_SECONDS, self._tell_progress)

    def _tell_gauges(self) -> None:
        now = self._timeline.now
        running = dict.fromkeys(self._servers, 0)
        for grant in self._sent.values():
            running[grant.server_id] += 1
        for server in self._servers.values():
            if gauges := gauges_of(server, running[server.name]):
                self._carry_out(self._decider.report(gauges, now))
        self._timeline.after(GAUGES_SECONDS, self._tell_gauges)

    def _set_timer(self) -> None:
        """Have the core told the time when it asks for that, and while anything goes on."""
        if not self._waiting and not self._sent:
            return
        now = self._timeline.now
        wanted = self._decider.wake_at(now)
        due = now + TICK_SECONDS if wanted is None else min(wanted, now + TICK_SECONDS)
        due = max(due, now + LEAST_TIMER)
        if due < self._timer_at:
            self._timer_at = due
            self._timeline.at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        if due != self._timer_at:
            return  # An earlier one has taken its place.
        self._timer_at = math.inf
        self._carry_out(self._decider.tick(self._timeline.now))


def _told(retry_after_ms: int) -> float:
    """Return the seconds that the gateway puts into `Retry-After`."""
    return max(1, math.ceil(retry_after_ms / 1000)) if retry_after_ms else USUAL_RETRY_AFTER
