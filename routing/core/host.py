"""A server with what the router knows of it now: what it runs, how fast it is, which classes it admits.

Three resources bound what it is given: requests at once (`learning`), the seconds of prefill that wait in it,
and its memory for contexts where its size is known. Each class may fill them up to a ceiling of its own, so
that the higher ones find room at once. Not here: health (`health`), the choice among servers (`selection`).
"""

from heapq import heappop, heappush

from routing.core.enums import Health, Limiting, PriorityClass, ServerState
from routing.core.guests import Guests
from routing.core.health import ServerHealth
from routing.core.learning import PERIOD_SECONDS, START_WITH_GAUGES, LearntLimit
from routing.core.pace import Pace
from routing.core.request import Gauges, Progress, Ticket
from routing.core.table import Server

NO_LIMIT = 1 << 30
GIVEN_LIMIT = 100
"""Requests at once where limits are given by hand and this one is not."""
MOST_QUEUED = 5
"""Requests waiting in a server at which one that is judged by its statistics takes no more."""

CLASSES = tuple(sorted(PriorityClass, reverse=True))
NO_CLASS = max(CLASSES) + 2
OWNER = max(CLASSES) + 1
"""Stands above the classes: a request of the server's own institution that wants its own servers."""
_PLACES = {5: 1.25, 4: 1.15, 3: 1.08, 2: 1.02, 1: 1.0, OWNER: 2.0}
_MEMORY = {5: 0.93, 4: 0.92, 3: 0.91, 2: 0.89, 1: 0.87, OWNER: 0.98}
_BACKLOG = {5: 1.5, 4: 1.2, 3: 0.9, 2: 0.5, 1: 0.35, OWNER: 0.7}
"""Ceilings by class: share of the limit, share of the memory, seconds of prefill that may wait.

An owner goes beyond the guests' ceilings, so that nothing need be kept idle for it; guests come back when less
is taken. Behind a long backlog it would wait longer than elsewhere.
"""
STREAM_CLASS = 3
"""The class whose backlog a stream may at least fill: somebody waits for it."""
SILENT_SECONDS = 4.0
LATE_SECONDS = 1.0
QUEUE_STANDS = 3
"""Readings of its gauges in a row that show somebody waiting behind the same number: it serves no more at once."""
GAUGES_FRESH_SECONDS = 5.0


class Run:
    """A request in flight. `unread`: prompt tokens that wait for its first token, 0 once it has come."""

    __slots__ = ("began", "cached", "cached_age", "id", "is_stream", "model_id", "prompt", "unread")

    def __init__(self, ticket: Ticket, cached: float, cached_age: int, now: float) -> None:
        self.id = ticket.id
        self.began = now
        self.prompt = ticket.prompt_estimate
        self.cached = cached
        self.cached_age = cached_age
        self.is_stream = ticket.stream
        self.model_id = ticket.model_id
        self.unread = max(0.0, self.prompt - cached)


class Host:
    """`in_flight` counts the requests of all its models."""

    __slots__ = (
        "_awake",
        "_expected",
        "_gauges",
        "_gauges_at",
        "_heard_at",
        "_is_suspect",
        "_looked_at",
        "_queue_seen",
        "_read_from",
        "_since_gauges",
        "backlog",
        "entry",
        "guests",
        "health",
        "limit",
        "memory",
        "pace",
        "runs",
        "streams_unread",
        "written",
    )

    def __init__(self, entry: Server) -> None:
        self.entry = entry
        self.guests = Guests(entry)
        self.health = ServerHealth()
        self.pace = Pace()
        self.limit = LearntLimit()
        self.runs: dict[str, Run] = {}
        self.backlog = 0.0
        """Prompt tokens of requests that have no first token yet."""
        self.written = 0.0
        """Tokens that running streams have written."""
        self.memory = 0
        """Tokens of context that it holds, 0 when unknown."""
        self.streams_unread = 0
        self._awake: set[str] = set()
        """Models that have written since the server was idle: what they make wait is not their being loaded."""
        self._expected: list[tuple[float, int, Run]] = []
        """Whole answers by when they must have begun, a heap: a long prompt's holds up no other's."""
        self._gauges: Gauges | None = None
        self._gauges_at = self._looked_at = -1e18
        self._heard_at = -1e18
        self._queue_seen = 0
        self._is_suspect = False
        self._since_gauges = 0.0
        self._read_from: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        return len(self.runs)

    def update(self, entry: Server) -> None:
        """Take over what the register says now; behind another address or token, or job, everything starts anew."""
        if _way_to(entry) != _way_to(self.entry):
            self.health, self.pace, self.limit = ServerHealth(), Pace(), LearntLimit()
            self.memory, self._gauges, self._is_suspect = 0, None, False
        self.entry = entry
        self.guests.update(entry)

    @property
    def takes_requests(self) -> bool:
        """Whether it is in service at all. Staging servers are, for their own institution: it tries them out."""
        return self.entry.state in (ServerState.LIVE, ServerState.STAGING)

    @property
    def is_available(self) -> bool:
        return self.entry.state is ServerState.LIVE and self.health.state is Health.HEALTHY

    # What it may be given.

    def may_be_tried(self, now: float) -> bool:
        """Say whether one request may find out if the ejected server is back, or the empty one really full.

        For want of a server that admits: what its gauges say for ever must not keep it from everybody.
        """
        if self.in_flight >= self.most:
            return False
        return self.health.is_due(now) or (not self.runs and self._health_admits(0, now))

    @property
    def most(self) -> int:
        """Return how many requests at once its owner allows."""
        return self.entry.max_parallel or NO_LIMIT

    def lowest_classes(self, limiting: Limiting, now: float) -> tuple[int, int]:
        """Return the lowest class that the server admits now, of streams and of whole answers.

        Ceilings rise with the class, so all above are admitted too; `NO_CLASS` when none is. Somebody reads a
        stream, so its backlog may always fill the ceiling of `STREAM_CLASS`. A given limit knows no classes.
        """
        running = self.in_flight
        if running >= self.most or not self._health_admits(running, now):
            return NO_CLASS, NO_CLASS
        if limiting is not Limiting.LEARNT:
            lowest = 1 if self._given_admits(limiting, running, now) else NO_CLASS
            return lowest, lowest
        taken = running + self.foreign(now) + 1
        if taken > self.limit.wall and running:
            return NO_CLASS, NO_CLASS
        places = taken / max(1.0, self.limit.value)
        memory = self.memory_use(now)
        seconds = self.pace.prefill * self.backlog
        streams = whole = NO_CLASS
        for level in CLASSES:
            if (places > _PLACES[level] and running) or memory > _MEMORY[level]:
                break
            if seconds <= _BACKLOG[level]:
                whole = level
            if seconds <= _BACKLOG[max(level, STREAM_CLASS)]:
                streams = level
        return streams, whole

    def admits_owner(self, limiting: Limiting, now: float) -> bool:
        """Say whether its owner's request may start, above the guests' ceilings."""
        running = self.in_flight
        if running >= self.most or not self._health_admits(running, now):
            return False
        if limiting is not Limiting.LEARNT:
            return self._given_admits(limiting, running, now)
        places = min(_PLACES[OWNER] * self.limit.value + 1, self.limit.wall)
        seconds = self.pace.prefill * self.backlog
        return (
            running + 1 <= places
            and seconds <= _BACKLOG[OWNER]
            and self.memory_use(now) <= _MEMORY[OWNER]
        )

    def is_proven(self, now: float) -> bool:
        """Say whether one more will not wait in a queue inside: as many were served in time, or gauges would tell."""
        return self.in_flight < self.limit.proven or self._fresh_gauges(now) is not None

    def has_memory_for(self, prompt: int, level: int, now: float) -> bool:
        """Say whether a prompt of so many tokens fits under a class's ceiling; an empty server takes any."""
        if not self.memory or not self.runs:
            return True
        return self.memory_use(now) + prompt / self.memory <= _MEMORY[level]

    def memory_use(self, now: float) -> float:
        """Return which share of its context memory is in use, 0 when nobody knows."""
        gauges = self._fresh_gauges(now)
        reported = gauges.memory_use if gauges else 0.0
        if not self.memory:
            return reported
        own = sum(run.prompt for run in self.runs.values()) + self.written
        return max(own, reported * self.memory + self._since_gauges) / self.memory

    def foreign(self, now: float) -> int:
        """Return how many requests others than this router seem to run there."""
        gauges = self._fresh_gauges(now)
        return max(0, gauges.running + gauges.waiting - gauges.ours) if gauges else 0

    def _health_admits(self, running: int, now: float) -> bool:
        return not self.health.restrained or self.health.admits(running, now)

    def _given_admits(self, limiting: Limiting, running: int, now: float) -> bool:
        if limiting is Limiting.NONE:
            return True
        if running >= (self.entry.max_parallel or GIVEN_LIMIT):
            return False
        gauges = self._fresh_gauges(now) if limiting is Limiting.STATISTICS else None
        return gauges is None or gauges.waiting < MOST_QUEUED

    def _fresh_gauges(self, now: float) -> Gauges | None:
        """Return the gauges unless they are so old that they say nothing any more."""
        return self._gauges if now - self._gauges_at <= GAUGES_FRESH_SECONDS else None

    # What happens.

    def begin(self, run: Run, now: float) -> None:
        if not self.runs:
            self._heard_at = now
        self.runs[run.id] = run
        self.backlog += run.unread
        self._read_from[run.id] = self.backlog
        self._since_gauges += run.prompt
        if run.is_stream:
            self.streams_unread += 1
        else:
            # Nobody tells when a whole answer's first token is written: the backlog says about when.
            due = now + self.pace.prefill * self.backlog + (self.pace.between_tokens or 0.0)
            heappush(self._expected, (due, id(run), run))

    def first_token(self, ticket_id: str, seconds: float, now: float) -> None:
        run = self.runs.get(ticket_id)
        if run is None:
            return
        self._heard_at = now
        self._awake.add(run.model_id)
        self._is_suspect = False
        if seconds < LATE_SECONDS:
            self.limit.began_in_time(self.in_flight)
        backlog = self._read_from.get(ticket_id)
        if backlog is not None and run.is_stream:
            self.pace.read(backlog, min(seconds, self._patience(backlog)))
        self._has_read(run)

    def end(self, ticket_id: str, written: int) -> Run | None:
        """Take a request out, whatever became of it; return it."""
        run = self.runs.pop(ticket_id, None)
        if run is None:
            return None
        self._has_read(run)
        freed = run.prompt if run.began >= self._gauges_at else run.prompt + written
        self._since_gauges -= freed
        if run.is_stream:
            self.written = max(0.0, self.written - written)
        if not self.runs:
            self.backlog = self.written = 0.0
            self.streams_unread = 0
            self._awake.clear()
        elif written:
            self._awake.add(run.model_id)
        return run

    def progressed(self, progress: Progress, now: float) -> None:
        self.pace.wrote(progress.tokens, progress.stream_ms / 1000, self.in_flight)
        self.written += progress.tokens
        self._heard_at = max(self._heard_at, now - progress.silent_ms / 1000)

    def measured(self, gauges: Gauges, now: float) -> None:
        if self._gauges is None and self.limit.is_untouched:
            self.limit = LearntLimit(START_WITH_GAUGES)
        before = self._gauges.running if self._gauges else 0
        stands = gauges.waiting and gauges.running == before
        self._queue_seen = self._queue_seen + 1 if stands else int(gauges.waiting > 0)
        self._gauges, self._gauges_at = gauges, now
        self.memory = gauges.memory or self.memory
        self._since_gauges = 0.0

    def look(self, now: float) -> None:
        """Let time pass: whole answers that must have begun by now, and the limit, twice a second."""
        while self._expected and self._expected[0][0] <= now:
            _, _, run = heappop(self._expected)
            if self.runs.get(run.id) is run:  # not of an earlier attempt of the same request
                self._has_read(run)
        if now - self._looked_at < PERIOD_SECONDS:
            return
        self._looked_at = now
        if self.runs and self.health.state is Health.HEALTHY:
            self._look_at_limit(now)

    def _look_at_limit(self, now: float) -> None:
        gauges, overdue = self._fresh_gauges(now), len(self.overdue(now))
        running = self.in_flight + self.foreign(now)
        served = None
        if gauges is None:
            served = running - overdue if overdue else None
        elif self._queue_seen >= QUEUE_STANDS:
            served = gauges.running
        queued = gauges.waiting if gauges and overdue else 0
        self.limit.look(self.pace, running, now, served=served, queued=queued)

    def overdue(self, now: float) -> list[Run]:
        """Return the streams whose first token is so late, while others write, that they must wait in a queue."""
        if not self.streams_unread:
            return []
        return [
            run
            for run in self.runs.values()
            if run.is_stream
            and run.unread
            and run.model_id in self._awake
            and now - run.began > self._patience(self._read_from[run.id])
        ]

    def _patience(self, backlog: float) -> float:
        """Return how long a first token may take with so many prompt tokens to read before it."""
        return LATE_SECONDS + 3 * self.pace.prefill * backlog

    def queued_inside(self, now: float) -> list[Run]:
        """Return what should be taken back from a queue in the server; gauges would have prevented it."""
        return [] if self._fresh_gauges(now) else self.overdue(now)

    @property
    def unseen(self) -> list[Run]:
        """Return the requests of whose answers no client has anything yet."""
        return [run for run in self.runs.values() if not run.is_stream or run.id in self._read_from]

    def is_silent(self, now: float) -> bool:
        """Say whether no stream has had a token for so long that the engine must have stopped.

        Before their first token requests may wait long, for a model that is being loaded; only after a stop
        they may not.
        """
        if not any(
            run.is_stream and (self._is_suspect or not run.unread) for run in self.runs.values()
        ):
            return False
        pace = self.pace
        patience = max(
            SILENT_SECONDS, 40 * pace.with_running(self.in_flight), 4 * pace.prefill * self.backlog
        )
        return now - self._heard_at > patience

    def stopped(self, now: float) -> None:
        """Note that the engine has stopped: the next requests must show that it goes on."""
        self._is_suspect = True
        self.health.stopped(now)

    def _has_read(self, run: Run) -> None:
        if self._read_from.pop(run.id, None) is None:
            return
        self.backlog = max(0.0, self.backlog - run.unread)
        run.unread = 0.0
        if run.is_stream:
            self.streams_unread -= 1


def _way_to(entry: Server) -> tuple[object, ...]:
    return (
        *(entry.base_url, entry.credential, entry.ca_bundle, entry.grants),
        *(entry.client_chain, entry.client_key, entry.held_since),
    )
