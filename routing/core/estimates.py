"""How long an answer will be, by what an application's answers to a model were lately."""

from routing.core.request import Ticket

STREAMED, WHOLE = 250.0, 450.0
"""Tokens, before anything is known: people's answers are short, programs' longer."""
_LEARNS_ALL, _LEARNS_ONE = 0.02, 0.1
_MOST_REMEMBERED = 10_000


class Outputs:
    """Of one model."""

    __slots__ = ("_by_application", "_usual")

    def __init__(self) -> None:
        self._usual = {True: STREAMED, False: WHOLE}
        self._by_application: dict[tuple[str, bool], float] = {}

    def expected(self, ticket: Ticket) -> float:
        usual = self._by_application.get((ticket.application_id, ticket.stream))
        if usual is None:
            usual = self._usual[ticket.stream]
        return min(usual, ticket.max_tokens) if ticket.max_tokens else usual

    def note(self, ticket: Ticket, written: int) -> None:
        self._usual[ticket.stream] += _LEARNS_ALL * (written - self._usual[ticket.stream])
        key = ticket.application_id, ticket.stream
        if len(self._by_application) >= _MOST_REMEMBERED:
            self._by_application.clear()
        own = self._by_application.get(key, self._usual[ticket.stream])
        self._by_application[key] = own + _LEARNS_ONE * (written - own)
