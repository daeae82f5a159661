"""One request, as its reader may see it, with what happened to it: each attempt, why there, and the waiting.

Numbers and codes; the words are `dashboards.stories`'. Whose key it was is told only to those who may know.
"""

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from billing.models import Attempt, UsageRecord
from billing.periods import Period
from billing.usage.queries import milliseconds, told
from billing.usage.rows import Request
from federation.access.models import ApiKey
from federation.fleet.models import InferenceServer
from federation.people.models import User
from routing.core.enums import RequestStatus
from routing.core.request import Explanation

_OF_AN_ANSWER = re.compile(r"[a-z]+[-_]([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
"""The `id` of an answer: engines put their own word, such as `chatcmpl-`, before the request's."""


@dataclass(frozen=True)
class Try:
    """An attempt. Milliseconds since the request's arrival; None where an earlier version did not note it."""

    n: int
    server: str
    institution: str
    started_ms: int
    ended_ms: int | None
    outcome: str
    explanation: Explanation | None


@dataclass(frozen=True)
class Story:
    request: Request
    tries: tuple[Try, ...]

    @property
    def waited_ms(self) -> int | None:
        """The time spent waiting for a server, before every attempt; None when nobody noted it."""
        if self.request.is_limited:
            return 0
        if not self.tries:
            answered = self.request.status == RequestStatus.OK  # elsewhere, before it was imported
            return None if answered else self.request.duration_ms
        known = [each.explanation.waited_ms for each in self.tries if each.explanation]
        return sum(known) if len(known) == len(self.tries) else None


def story_of(user: User, request_id: UUID) -> Story | None:
    """Return what happened to a request, None when there is none that `user` may see."""
    record = UsageRecord.objects.for_user(user).filter(pk=request_id).first()
    if record is None:
        return None
    attempts = list(Attempt.objects.filter(request_id=record.pk).order_by("n"))
    servers = _servers({attempt.server_id for attempt in attempts})
    tries = tuple(
        _try(attempt, record.received_at, servers.get(attempt.server_id, ("", "")))
        for attempt in attempts
    )
    (request,) = told(user, [record])
    return Story(request, tries)


def find_request(user: User, asked: str, period: Period) -> UUID | None:
    """Return the id of a request: by its own, its answer's, or the latest that a client gave this one to in `period`.

    A client's identifier finds only requests of keys that `user` sees: to others it is not shown.
    """
    seen = UsageRecord.objects.for_user(user)
    answered = _OF_AN_ANSWER.fullmatch(asked)
    with suppress(ValueError):
        own = UUID(answered[1] if answered else asked)
        if seen.filter(pk=own).exists():
            return own
    named = seen.ended_in(period).of_keys(ApiKey.objects.for_user(user))
    named = named.filter(client_request_id=asked).order_by("-id")
    return named.values_list("pk", flat=True).first()


def _try(attempt: Attempt, received_at: datetime, served: tuple[str, str]) -> Try:
    return Try(
        n=attempt.n,
        server=served[0],
        institution=served[1],
        started_ms=milliseconds(attempt.started_at, received_at) or 0,
        ended_ms=milliseconds(attempt.ended_at, received_at),
        outcome=attempt.outcome,
        explanation=_explanation(attempt),
    )


def _explanation(attempt: Attempt) -> Explanation | None:
    """Return what the router said, None where it said nothing, or uses codes that this version does not know."""
    try:
        return msgspec.convert(attempt.explanation, Explanation | None)
    except msgspec.ValidationError:
        return None


def _servers(ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return the name and the institution of each server: who serves is told to every member."""
    rows = InferenceServer.objects.filter(pk__in=ids).values_list(
        "pk", "name", "site__institution__short_name"
    )
    return {pk: (name, institution) for pk, name, institution in rows}
