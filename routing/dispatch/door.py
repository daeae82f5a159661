"""`Dispatcher`: all that a gateway knows of the decisions. Implementations decide where the decider lives."""

from typing import Protocol

from routing.core.retry import Failure
from routing.dispatch.messages import Event, Grant, LoadView, Place, Refusal, Ticket


class Dispatcher(Protocol):
    """Offers tickets, receives events. Repeated grants, events and withdrawals are ignored.

    A grant ends in exactly one of three ways: `report(Ended)`, `retry`, or `report(Withdrawn)`. The dispatcher
    may take one back (`Recall`), as its server has stopped or lets it wait; the gateway ends it like any other.
    """

    def offer(self, ticket: Ticket) -> Grant | Refusal | None:
        """Decide at once; None means that the ticket must wait: call `acquire`."""

    async def acquire(self, ticket: Ticket) -> Grant | Refusal:
        """Wait for a decision. Cancelling the await withdraws the ticket."""

    async def retry(
        self, ticket: Ticket, grant: Grant, why: Failure, retry_after_ms: int = 0
    ) -> Grant | Refusal:
        """Ask for the next attempt after `grant` failed before the first byte; its server is excluded.

        This ends the attempt: no `Ended` is reported for it. A server that was only full is not excluded but
        held back, for `retry_after_ms` if it named a time. Cancelling the await withdraws the ticket.
        """

    def report(self, event: Event) -> None:
        """Tell what happened. Never blocks, never raises."""

    def place(self, ticket_id: str) -> Place | None:
        """Return where a ticket stands among those who wait, None when it does not wait."""

    def load(self) -> LoadView:
        """Return the present load of servers and models."""
