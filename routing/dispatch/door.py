"""`Dispatcher`: all that a gateway knows of the decisions. Implementations decide where the decider lives."""

from typing import Protocol

from routing.core.retry import Failure
from routing.dispatch.messages import Event, Grant, LoadView, Refusal, Ticket


class Dispatcher(Protocol):
    """Offers tickets, receives events. Repeated grants, events and withdrawals are ignored."""

    def offer(self, ticket: Ticket) -> Grant | Refusal | None:
        """Decide at once; None means that the ticket must wait: call `acquire`."""

    async def acquire(self, ticket: Ticket) -> Grant | Refusal:
        """Wait for a decision. Cancelling the await withdraws the ticket."""

    async def retry(self, ticket: Ticket, grant: Grant, why: Failure) -> Grant | Refusal:
        """Ask for the next attempt after `grant` failed before the first byte; its server is excluded."""

    def report(self, event: Event) -> None:
        """Tell what happened. Never blocks, never raises."""

    def load(self) -> LoadView:
        """Return the present load of servers and models."""
