"""One request as it is written down: its lines in the spool, and the events of its attempts to the dispatcher.

The closing line and the end of an attempt are each told once, whoever comes first. The line repeats what was
opened, so that it stands alone.
"""

import time

from routing.core.accounting import Attempt, Closed, Energy, Opened, Ticked
from routing.core.enums import RequestStatus
from routing.core.occupancy import Occupancy
from routing.core.retry import Failure
from routing.core.usage import Usage
from routing.dispatch.door import Dispatcher
from routing.dispatch.messages import UNUSED, Accounted, Ended, FirstToken, Grant, Started
from routing.gateway.errors import ApiError, Code
from routing.gateway.metrics import Metrics
from routing.gateway.spool import Spool, SpoolFull

MOST_ATTEMPTS = 100
"""Attempts that are written down, the first and the last: those at full servers have no end, a line has one."""


class Entry:
    """Opened by being made. Raises `ApiError` when nothing can be written down.

    `holder_id` is for the dispatcher alone: no line tells whose a key is.
    """

    def __init__(
        self,
        spool: Spool,
        dispatcher: Dispatcher,
        metrics: Metrics,
        occupancy: Occupancy,
        opened: Opened,
        holder_id: str = "",
    ) -> None:
        self._spool = spool
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._occupancy = occupancy
        self._mark = self._begun = 0.0
        self._opened = opened
        self._holder_id = holder_id
        self._attempts: tuple[Attempt, ...] = ()
        self._grant: Grant | None = None
        self._attempt_began = 0.0
        self._first_token_at: float | None = None
        self._outcome = UNUSED
        self._usage = Usage()
        self.model_served = ""
        self.fallback_id = ""
        """The model that serves in the place of the one asked for."""
        self.closed = False
        try:
            spool.admit(opened)
        except SpoolFull:
            raise ApiError(Code.SPOOL_FULL) from None

    @property
    def is_trying(self) -> bool:
        """Whether a server is being asked."""
        return self._grant is not None

    def begin_attempt(self, grant: Grant) -> None:
        self._grant, self._attempt_began = grant, time.time()
        self._begun = time.monotonic()
        self._mark = self._occupancy.begin(grant.server_id, self._begun)
        self._dispatcher.report(Started(id=grant.id, attempt=grant.attempt))

    def fail_attempt(self, failure: Failure) -> None:
        """Note an attempt that another may follow; the dispatcher hears of it when it is asked for that."""
        attempts, half = self._attempts_until_now(failure, time.time()), MOST_ATTEMPTS // 2
        if len(attempts) > MOST_ATTEMPTS:
            attempts = attempts[:half] + attempts[half + 1 :]
        self._attempts = attempts
        self._leave()

    def first_token(self, after_ms: int) -> None:
        assert self._grant is not None
        self._first_token_at = now = time.time()
        model_class = self.fallback_id or self._opened.model_id, self._opened.priority
        self._metrics.first_tokens[model_class].observe(after_ms / 1000)
        self._metrics.server_first_tokens[self._grant.server_id].observe(now - self._attempt_began)
        self._dispatcher.report(
            FirstToken(id=self._grant.id, attempt=self._grant.attempt, after_ms=after_ms)
        )

    def tick(self, completion_tokens: int) -> None:
        """Write how far a running stream is."""
        assert self._grant is not None
        self._spool.write(
            Ticked(
                id=self._opened.id,
                server_id=self._grant.server_id,
                first_token_at=self._first_token_at,
                completion_tokens=completion_tokens,
                at=time.time(),
                fallback_id=self.fallback_id,
            )
        )

    def close(
        self,
        outcome: str,
        status: RequestStatus,
        http_status: int,
        usage: Usage,
        error_code: str = "",
        energy: Energy | None = None,
    ) -> None:
        """Write how the request ended; a second time it writes nothing."""
        if self.closed:
            return
        self._outcome, self._usage = outcome, usage
        now = time.time()
        attempts = self._attempts_until_now(outcome if outcome != UNUSED else error_code, now)
        last = attempts[-1] if attempts else None
        record = Closed(
            opened=self._opened,
            status=status,
            http_status=http_status,
            server_id=last.server_id if last else None,
            deployment_id=last.deployment_id if last else None,
            model_served=self.model_served,
            prompt_tokens=usage.prompt,
            cached_tokens=usage.cached,
            completion_tokens=usage.completion,
            reasoning_tokens=usage.reasoning,
            usage_source=usage.source,
            first_token_at=self._first_token_at,
            finished_at=max(now, self._opened.received_at),  # the clock may be set back meanwhile
            attempts=attempts,
            error_code=error_code,
            fallback_id=self.fallback_id,
            audio_ms=usage.audio_ms,
            images=usage.images,
            energy=energy,
        )
        self._spool.write(record)
        self.closed = True  # Not before: a line that could not be written is still owed.
        self._metrics.count(record)
        self._dispatcher.report(self._accounted(record))

    def settle(self) -> None:
        """Give the server back, once nothing more is read from it."""
        grant = self._leave()
        if grant is not None:
            self._dispatcher.report(
                Ended(
                    id=grant.id,
                    attempt=grant.attempt,
                    outcome=self._outcome,
                    prompt_tokens=self._usage.prompt,
                    cached_tokens=self._usage.cached,
                    completion_tokens=self._usage.completion,
                )
            )

    @property
    def service(self) -> tuple[int, int]:
        """Milliseconds at the present server, and the requests that it worked on at a time, thousandths."""
        assert self._grant is not None
        now = time.monotonic()
        among = self._occupancy.mean_milli(self._grant.server_id, self._mark, self._begun, now)
        return round((now - self._begun) * 1000), among

    def _leave(self) -> Grant | None:
        grant, self._grant = self._grant, None
        if grant is not None:
            self._occupancy.end(grant.server_id, time.monotonic())
        return grant

    def _accounted(self, record: Closed) -> Accounted:
        return Accounted(
            id=record.opened.id,
            key_id=record.opened.key_id,
            application_id=record.opened.application_id,
            institution_id=record.opened.institution_id,
            model_id=record.model_id,
            server_id=record.server_id,
            endpoint=record.opened.endpoint,
            status=record.status,
            http_status=record.http_status,
            prompt_tokens=record.prompt_tokens,
            cached_tokens=record.cached_tokens,
            completion_tokens=record.completion_tokens,
            position=self._spool.position,
            audio_ms=record.audio_ms,
            images=record.images,
            holder_id=self._holder_id,
        )

    def _attempts_until_now(self, outcome: str, now: float) -> tuple[Attempt, ...]:
        """Return the attempts, with the present one, if there is any, as having ended so."""
        if self._grant is None:
            return self._attempts
        present = Attempt(
            server_id=self._grant.server_id,
            deployment_id=self._grant.deployment_id,
            started_at=self._attempt_began,
            outcome=outcome,
            ended_at=now,
            explanation=self._grant.explain,
        )
        return (*self._attempts, present)
