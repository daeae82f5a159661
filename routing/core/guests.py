"""What a server's owner allows others: whom, which classes, and how many of their requests at once by the hour.

Models closed to guests are a matter of routes (`fleet`). Told which hour of the week it is.
"""

from routing.core.request import Ticket
from routing.core.table import HOURS_OF_A_WEEK, Server


class Guests:
    """Of one server: its rules, and those of its running requests that are guests'."""

    __slots__ = ("_hour", "_owner", "_rules", "_running")

    def __init__(self, entry: Server, hour: int = 0) -> None:
        self._running: set[str] = set()
        self._hour = hour
        self.update(entry)

    def update(self, entry: Server) -> None:
        self._owner, self._rules = entry.institution_id, entry.guests

    def set_hour(self, hour: int) -> None:
        self._hour = hour % HOURS_OF_A_WEEK

    @property
    def ceiling(self) -> int | None:
        """Return how many guests at once are allowed in this hour, None for any number."""
        rules = self._rules
        return rules.ceilings[self._hour] if rules and rules.ceilings else None

    def may_come(self, institution: str, priority: int) -> bool:
        """Say whether such requests are served at all in this hour."""
        rules = self._rules
        if rules is None or institution == self._owner:
            return True
        if institution in rules.institutions or priority < rules.lowest_class:
            return False
        return self.ceiling != 0

    def may_start(self, institution: str) -> bool:
        """Say whether there is room for one more."""
        ceiling = self.ceiling
        return ceiling is None or institution == self._owner or len(self._running) < ceiling

    def begin(self, ticket: Ticket) -> None:
        if ticket.institution_id != self._owner:
            self._running.add(ticket.id)

    def end(self, ticket_id: str) -> None:
        self._running.discard(ticket_id)
