"""A server as vLLM and Ollama work: continuous batching, one event for each engine iteration.

Prompts are read in chunks under a token budget and admitted only while budget is left (vLLM v1); when memory runs
out the last that was admitted is thrown out and read again later; what conversations left behind is kept in the
memory that is free, the oldest forgotten first. Requests are taken in the order of their arrival.
"""

import heapq
from collections import OrderedDict, deque
from enum import StrEnum
from typing import Protocol

from bench.simulation.fleet import ServerSpec
from bench.simulation.requests import Request, Status
from bench.simulation.timeline import Timeline

REFUSED_AFTER = 0.01
"""Seconds until a connection to a dead server fails."""
HUNG_LOOK = 0.5
_MEMORY_FILLED = 0.99
_SPARE_TOKENS = 16


class Fault(StrEnum):
    """Why a server gave no answer."""

    REFUSED = "refused"
    RESET = "reset"


class Router(Protocol):
    """What a server tells whoever sends it requests."""

    def first_token(self, request: Request, server: "Server") -> None: ...

    def finished(self, request: Request, server: "Server") -> None: ...

    def failed(self, request: Request, server: "Server", fault: Fault) -> None: ...


class Server:
    """`router` must be set before the first request. Counts are of tokens since the beginning."""

    router: Router

    def __init__(self, timeline: Timeline, spec: ServerSpec) -> None:
        self.timeline = timeline
        self.spec = spec
        self.name = spec.name
        self.owner = spec.owner
        self.is_up = True
        self.is_hung = False
        self.tokens_read = 0
        self.tokens_written = 0
        self.tokens_wasted = 0
        self.preemptions = 0
        self.stream_tokens = 0
        """Tokens written to streams after their first."""
        self.last_stream_token_at = 0.0
        self._life = 0
        self._reset()

    def _reset(self) -> None:
        self.waiting: deque[Request] = deque()
        self._reading: list[Request] = []
        self._writing: dict[int, Request] = {}
        self._streams_writing = 0
        self._ends: list[tuple[int, int]] = []
        self._step = 0
        self._context = 0
        self._memory_used = 0
        self._is_busy = False
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._kept_tokens = 0
        self._life += 1

    # What routers and faults do to it.

    def submit(self, request: Request) -> None:
        if not self.is_up:
            router = self.router
            self.timeline.after(REFUSED_AFTER, router.failed, request, self, Fault.REFUSED)
            return
        request.server = self
        request.status = Status.SENT
        self.waiting.append(request)
        self._kick()

    def abort(self, request: Request) -> None:
        """Forget `request`, wherever it is; what was computed for it is wasted."""
        wasted = 0
        if request.id in self._writing:
            wasted = self._stop_writing(request) - request.cached
        elif request in self._reading:
            self._reading.remove(request)
            self._memory_used -= request.start_context
            wasted = request.start_context - request.cached - request.unread
        elif request in self.waiting:
            self.waiting.remove(request)
        self.tokens_wasted += max(0, wasted)

    def crash(self) -> None:
        self.is_up = False
        lost = [*self.waiting, *self._reading, *self._writing.values()]
        for request in lost:
            self.abort(request)
        self._reset()
        for request in lost:
            self.router.failed(request, self, Fault.RESET)

    def hang(self) -> None:
        """Accept everything and write nothing any more."""
        self.is_hung = True

    def recover(self) -> None:
        self.is_up = True
        self.is_hung = False

    # What can be seen of it.

    @property
    def running(self) -> int:
        return len(self._reading) + len(self._writing)

    @property
    def memory_use(self) -> float:
        """Return the share of its memory that running requests use."""
        return self._memory_used / self.spec.memory

    def written_for(self, request: Request) -> int:
        """Return how many tokens of the answer have been written."""
        if request.id in self._writing:
            return request.written + self._step - request.start_step
        return request.written

    # The engine.

    def _kick(self) -> None:
        if not self._is_busy and self.is_up:
            self._iterate()

    def _iterate(self) -> None:
        if self.is_hung:
            self._is_busy = True
            self.timeline.after(HUNG_LOOK, self._look_again, self._life)
            return
        spec, writing = self.spec, len(self._writing)
        read, complete = self._read_prompts(max(0, spec.budget - writing))
        self._fit_kept()
        if writing == 0 and not self._reading:
            self._is_busy = False
            return
        seconds = (
            spec.step
            + spec.per_context * (self._context + read)
            + spec.per_token * (read + writing)
        )
        self._is_busy = True
        self.tokens_read += read
        self.tokens_written += writing
        self.timeline.after(seconds, self._end_iteration, complete, self._life)

    def _read_prompts(self, budget: int) -> tuple[int, list[Request]]:
        """Spend `budget` on prompts; return the tokens read and the requests whose prompts are complete."""
        left, complete = budget, []
        for request in self._reading:
            if left <= 0:
                break
            left -= self._read(request, left)
            if request.unread == 0:
                complete.append(request)
        while self.waiting and left > 0 and self.running < self.spec.most_running:
            request = self.waiting[0]
            context = request.prompt + request.written
            if self._memory_used + context + _SPARE_TOKENS > self.spec.memory * _MEMORY_FILLED:
                break
            self.waiting.popleft()
            request.cached = self._recall(request) if request.written == 0 else 0
            request.unread = context - request.cached
            request.start_context = context
            self._memory_used += context
            self._reading.append(request)
            left -= self._read(request, left)
            if request.unread == 0:
                complete.append(request)
        return budget - left, complete

    def _read(self, request: Request, most: int) -> int:
        tokens = min(request.unread, most)
        request.unread -= tokens
        return tokens

    def _look_again(self, life: int) -> None:
        if life == self._life:
            self._is_busy = False
            self._kick()

    def _end_iteration(self, complete: list[Request], life: int) -> None:
        if life != self._life:
            return
        self._step += 1
        written = len(self._writing)
        self._context += written
        self._memory_used += written
        if self._streams_writing:
            self.stream_tokens += self._streams_writing
            self.last_stream_token_at = self.timeline.now
        for request in complete:
            if request in self._reading:
                self._begin_writing(request)
        self._finish_due()
        self._make_room()
        self._is_busy = False
        self._iterate()

    def _begin_writing(self, request: Request) -> None:
        now = self.timeline.now
        self._reading.remove(request)
        request.start_step = self._step
        request.written += 1
        self.tokens_written += 1
        self._writing[request.id] = request
        self._context += request.start_context
        request.end_step = self._step + max(0, request.output - request.written)
        heapq.heappush(self._ends, (request.end_step, request.id))
        if request.is_streamed:
            self._streams_writing += 1
            self.last_stream_token_at = now
        if request.first_token_at is None:
            request.first_token_at = now
            self.router.first_token(request, self)
        elif request.is_streamed:
            self.stream_tokens += 1

    def _stop_writing(self, request: Request) -> int:
        """Take `request` out; return the tokens of its context."""
        context = request.start_context + self._step - request.start_step
        self._context -= context
        self._memory_used -= context
        if request.is_streamed:
            self._streams_writing -= 1
        del self._writing[request.id]
        return context

    def _finish_due(self) -> None:
        while self._ends and self._ends[0][0] <= self._step:
            end_step, request_id = heapq.heappop(self._ends)
            request = self._writing.get(request_id)
            if request is None or request.end_step != end_step:
                continue
            self._keep(request, self._stop_writing(request))
            request.finished_at = self.timeline.now
            request.status = Status.DONE
            self.router.finished(request, self)

    def _make_room(self) -> None:
        """Throw out the last that were admitted, to be read again later, until the rest fits."""
        while self._memory_used > self.spec.memory and self._writing:
            request = self._writing[next(reversed(self._writing))]
            written = self._step - request.start_step
            self.tokens_wasted += self._stop_writing(request)
            request.written += written
            self.preemptions += 1
            self.waiting.appendleft(request)

    # What it remembers of conversations.

    def _recall(self, request: Request) -> int:
        """Return how many tokens of the prompt need not be read."""
        session = request.session
        if not self.spec.caches_prefixes or session is None or session not in self._kept:
            return 0
        self._kept.move_to_end(session)
        return min(self._kept[session], request.prompt - 1)

    def _keep(self, request: Request, tokens: int) -> None:
        session = request.session
        if not self.spec.caches_prefixes or session is None:
            return
        self._kept_tokens += tokens - self._kept.get(session, 0)
        self._kept[session] = tokens
        self._kept.move_to_end(session)
        self._fit_kept()

    def _fit_kept(self) -> None:
        room = self.spec.memory - self._memory_used
        while self._kept and self._kept_tokens > room:
            _, tokens = self._kept.popitem(last=False)
            self._kept_tokens -= tokens
