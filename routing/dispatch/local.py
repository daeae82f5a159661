"""`LocalDispatcher`: the decider in this process, with futures for those who wait and one timer for all.

Everything runs on one event loop; nothing is decided here.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping

from routing.core.assignment import Decider
from routing.core.enums import Measure
from routing.core.limits import Counts
from routing.core.retry import Failure
from routing.core.table import Table
from routing.dispatch.door import Dispatcher
from routing.dispatch.messages import (
    Decision,
    Event,
    Grant,
    LoadView,
    Place,
    Quota,
    Recall,
    Refusal,
    Ticket,
)

logger = logging.getLogger(__name__)


class LocalDispatcher(Dispatcher):
    """`clock` gives seconds that never go back; `recall` is told of attempts that are taken back, `need` up to where
    budgets would have to be granted for those who wait.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        recall: Callable[[Recall], None] = lambda recall: None,
        need: Callable[[Mapping[str, int]], None] = lambda needs: None,
    ) -> None:
        self._clock = clock
        self._recall = recall
        self._need = need
        self._decider = Decider()
        self._waiters: dict[str, asyncio.Future[Grant | Refusal]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0

    def offer(self, ticket: Ticket) -> Grant | Refusal | None:
        return self._hand_out(self._decider.offer(ticket, self._clock()), ticket.id)

    async def acquire(self, ticket: Ticket) -> Grant | Refusal:
        # A ticket that waits already is known, one that was granted meanwhile gets the same grant.
        return self.offer(ticket) or await self._wait(ticket.id)

    async def retry(
        self, ticket: Ticket, grant: Grant, why: Failure, retry_after_ms: int = 0
    ) -> Grant | Refusal:
        decisions = self._decider.retry(
            ticket.id, grant.attempt, why, self._clock(), retry_after_ms
        )
        return self._hand_out(decisions, ticket.id) or await self._wait(ticket.id)

    def report(self, event: Event) -> None:
        try:
            self._hand_out(self._decider.report(event, self._clock()))
        except Exception:
            logger.exception("an event could not be taken note of")

    def place(self, ticket_id: str) -> Place | None:
        return self._decider.place(ticket_id, self._clock())

    def load(self) -> LoadView:
        return self._decider.load(self._clock())

    # What the router's own parts tell.

    def set_table(self, table: Table) -> None:
        """Decide from `table` from now on."""
        self._hand_out(self._decider.replace_table(table, self._clock()))

    def set_hour(self, hour: int) -> None:
        """Go by the owners' rules for this hour of the week."""
        self._hand_out(self._decider.set_hour(hour, self._clock()))

    def probes_due(self) -> tuple[str, ...]:
        """Return the servers to probe now; each is named once and waits for its `probed`."""
        return self._decider.probes_due(self._clock())

    def probed(self, server_id: str, ok: bool, failure: Failure | None = None) -> None:
        """Tell what a probe found."""
        now = self._clock()
        self._hand_out(self._decider.probed(server_id, ok=ok, failure=failure, now=now))

    def quotas(self, owner: str) -> dict[Measure, Quota]:
        """Return what is left of each limit of a key, an application or an institution."""
        return self._decider.limits.quotas(owner, self._clock())

    def counts(self) -> Counts:
        """Return what was used of the limits lately."""
        return self._decider.limits.counts(self._clock())

    def restore(self, counts: Counts) -> None:
        """Go on with what the router before this one counted. Before any ticket."""
        self._decider.limits.restore(counts, self._clock())

    # Waiting.

    async def _wait(self, ticket_id: str) -> Grant | Refusal:
        waiter: asyncio.Future[Grant | Refusal] = asyncio.get_running_loop().create_future()
        self._waiters[ticket_id] = waiter
        try:
            return await waiter
        except asyncio.CancelledError:
            # Also when a grant came in the same turn of the loop: nobody will use it.
            self._hand_out(self._decider.withdraw(ticket_id, self._clock()))
            raise
        finally:
            self._waiters.pop(ticket_id, None)

    def _hand_out(self, decisions: Iterable[Decision], own_id: str = "") -> Grant | Refusal | None:
        """Wake those who wait for `decisions`; return the one about `own_id`, which nobody waits for yet."""
        own: Grant | Refusal | None = None
        for decision in decisions:
            if isinstance(decision, Recall):
                self._recall(decision)
            elif decision.id == own_id:
                own = decision
            elif (waiter := self._waiters.get(decision.id)) and not waiter.done():
                waiter.set_result(decision)
        if needs := self._decider.budgets.take_needs():
            self._need(needs)
        self._set_timer()
        return own

    def _set_timer(self) -> None:
        """Have the decider woken when time alone changes something for those who wait: no event puts that off."""
        now = self._clock()
        wake_at = self._decider.wake_at(now)
        if self._timer and wake_at is not None and self._wakes_at <= wake_at:
            return
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if wake_at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, wake_at - now), self._tick)
            self._wakes_at = wake_at

    def _tick(self) -> None:
        self._timer = None
        self._hand_out(self._decider.tick(self._clock()))
