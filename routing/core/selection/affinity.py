"""The server at which a request is expected to cost least: its own time there, and what it takes from others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.core.candidates import Route
    from routing.core.queueing import Request

FIRST_TOKEN = 3.0
"""How much more a reader minds a second before the first token than one during the answer."""
LATE = 20.0
PATIENT, IMPATIENT = 1.0, 0.5
"""Seconds of prefill beyond which each second counts `LATE` times; the second for the highest class and owners."""
OTHERS = 6.0
"""Requests that wait, on average, while a prompt is read."""
OWN = 0.8
"""What a second at its own server is worth to an owner who wants that first."""


def affinity(options: Sequence["Route"], request: "Request", last: str, now: float) -> "Route":
    """Return the cheapest option; what a server has read before need not be read again."""
    if len(options) == 1:
        return options[0]
    ticket, room = request.ticket, request.room
    known = room.affinity.known_to(ticket.prefix, now) if ticket.prefix else {}
    hoped = min((r.host.pace.alone for r in room.routes if r.host.pace.alone), default=0.02)
    bound = IMPATIENT if ticket.priority == 5 or request.is_owner else PATIENT
    best, lowest = options[0], float("inf")
    for option in options:
        host = option.host
        pace, running = host.pace, host.in_flight
        tokens, _age = known.get(host.entry.id, (0.0, 0))
        unread = max(0.0, ticket.prompt_estimate - tokens)
        reads = pace.prefill * (host.backlog + unread)
        writes = request.output * pace.with_running(running + 1, hoped)
        value = (
            reads + writes + OTHERS * pace.prefill * unread + request.output * pace.each * running
        )
        if ticket.stream:
            value += (FIRST_TOKEN - 1) * reads + LATE * max(0.0, reads - bound)
        if request.is_owner and option.is_own_of(ticket.institution_id):
            value *= OWN
        if value < lowest:
            best, lowest = option, value
    return best
