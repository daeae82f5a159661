"""Attempts: what each takes from its server and its room while it runs, and what its end teaches about both.

Called by `assignment` only, which decides what follows. `now` is in seconds.
"""

from routing.core.enums import Health
from routing.core.fairness import cost
from routing.core.fleet import Fleet
from routing.core.host import Host, Run
from routing.core.queueing import Request
from routing.core.request import Ended
from routing.core.retry import HARMS_HEALTH, Failure


class Attempts:
    """Of all requests that hold a grant. Each that begins is ended once: completed, failed or given up."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def begin(self, request: Request, known: float, age: int, now: float) -> None:
        """Take a place at `request.taken`'s server, which likely knows `known` tokens of the prompt, of `age`."""
        ticket, room, host = request.ticket, request.room, request.host
        if host.health.state is not Health.HEALTHY:
            host.health.begin_trial(ticket.id, now)
        host.begin(Run(ticket, min(known, float(ticket.prompt_estimate)), age, now), now)
        host.guests.begin(ticket)
        room.serve(request)
        room.in_flight += 1
        request.granted_at = now

    def first_token(self, request: Request, now: float) -> None:
        """Note that a stream's first token has come: the prompt is read, the server works."""
        ticket, host = request.ticket, request.host
        self._succeeded(host, ticket.id, now)
        host.first_token(ticket.id, now - request.granted_at, now)
        self._note_read(request, ticket.prompt_estimate, now)

    def complete(self, request: Request, event: Ended, now: float) -> None:
        """Settle an answer on what was really used, and learn from it."""
        ticket, room, host = request.ticket, request.room, request.host
        written = event.completion_tokens
        if written:
            room.outputs.note(ticket, written)
        self._settle(request, cost(event.prompt_tokens, written) - request.cost)
        if run := host.runs.get(ticket.id):
            room.affinity.settle(host.entry.id, run.cached_age, run.cached, event.cached_tokens)
        self._release(request, written)
        self._succeeded(host, ticket.id, now)
        self._note_read(request, ticket.prompt_estimate + written, now)

    def fail(
        self,
        request: Request,
        outcome: str,
        now: float,
        *,
        retry_after: float = 0.0,
        written: int = 0,
    ) -> None:
        """End one that brought no whole answer; `retry_after` seconds were asked for by a full server, 0 if none."""
        ticket, host = request.ticket, request.host
        self._release(request, written)
        self._settle(request, -request.cost)
        if outcome == Failure.FULL:
            host.limit.was_full(host.in_flight, now)
            host.health.was_full(ticket.id, host.in_flight, retry_after, now)
        elif outcome in HARMS_HEALTH:
            host.health.failed(Failure(outcome), ticket.id, ticket.institution_id, now)
        else:
            host.health.was_unused(ticket.id)
        if outcome == Failure.NO_ENDPOINT:
            request.taken.note_missing(ticket.endpoint, now)
            request.room.prospects.forget()
        elif outcome == Failure.NO_MODEL:
            request.taken.note_lost(now)
            request.room.prospects.forget()

    def probed(self, host: Host, failure: Failure | None, now: float) -> None:
        """Note what a probe found; None when the server is well."""
        was_away = host.health.state is not Health.HEALTHY
        host.health.probed(failure, now)
        self._note_return(host, was_away=was_away)

    def _succeeded(self, host: Host, ticket_id: str, now: float) -> None:
        was_away = host.health.state is not Health.HEALTHY
        host.health.succeeded(ticket_id, now)
        self._note_return(host, was_away=was_away)

    def _note_return(self, host: Host, *, was_away: bool) -> None:
        """A server that comes back from an ejection begins small, and may have forgotten everything."""
        if was_away and host.health.state is Health.HEALTHY:
            host.limit.restart()
            for room in self._fleet.rooms.values():
                room.affinity.forget(host.entry.id)

    def _note_read(self, request: Request, tokens: int, now: float) -> None:
        if prefix := request.ticket.prefix:
            request.room.affinity.note(prefix, tokens, request.host.entry.id, now)

    def _settle(self, request: Request, difference: float) -> None:
        """Correct what was counted in advance for the request's institution."""
        ticket = request.ticket
        request.room.turns.settle(ticket.priority, ticket.institution_id, difference, ticket.weight)

    def _release(self, request: Request, written: int) -> None:
        request.host.end(request.ticket.id, written)
        request.host.guests.end(request.ticket.id)
        request.room.in_flight -= 1
