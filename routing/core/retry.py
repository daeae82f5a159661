"""Why an attempt at a server failed, and what follows from it: blame and a further attempt. Pure."""

from enum import StrEnum

from routing.core.windows import RecentCount


class Failure(StrEnum):
    """An attempt that brought nothing to pass on to the client."""

    CONNECT = "connect"
    """No connection: name, refusal, TLS, time-out."""
    LOST = "lost"
    """The connection ended before the answer did."""
    TIMEOUT = "timeout"
    """No head, or a stream that stalled."""
    SERVER_ERROR = "server_error"
    """A 5xx that is not fullness."""
    FULL = "full"
    """429 or 503, in a status or as a stream's first event."""
    BAD_ANSWER = "bad_answer"
    """Not HTTP, not JSON where JSON was due, compressed, a redirect, too large."""
    DENIED = "denied"
    """The server refuses our token, or the egress guard the server's address."""
    NO_ENDPOINT = "no_endpoint"
    """The server does not have this endpoint."""
    NO_MODEL = "no_model"
    """The server does not know the name under which it is to serve the model: it runs another one now."""
    QUEUED = "queued"
    """It waited in a queue inside the server, whose limit was not known, and was taken back."""
    GONE = "gone"
    """It left the table before it could be asked."""


HARMS_HEALTH = frozenset(Failure) - {
    Failure.FULL,
    Failure.NO_ENDPOINT,
    Failure.NO_MODEL,
    Failure.QUEUED,
    Failure.GONE,
}
"""Failures that speak against the server. Fullness is no fault, what it never had or lost is no ill health: its
other models go on."""

WAS_BUSY = frozenset({Failure.FULL, Failure.QUEUED})
"""Failures after which the same server may serve the request yet, when it has room."""

MAX_ATTEMPTS = 4
"""Of which each has failed but the last; at a server that was only busy nothing was tried."""

RETRY_SHARE = 0.2
RETRY_FLOOR = 20
RETRY_WINDOW_SECONDS = 60.0


class RetryBudget:
    """Keeps the further retries of a model to a share of its recent requests, so that a bad day brings no storm.

    Spent only on failures that harm health: fullness and missing endpoints hold their server back themselves.
    Each request's first retry is free: all that a dying server held is tried elsewhere, however much that was.
    """

    __slots__ = ("_requests", "_retries")

    def __init__(self) -> None:
        self._requests = RecentCount(RETRY_WINDOW_SECONDS)
        self._retries = RecentCount(RETRY_WINDOW_SECONDS)

    def note_request(self, now: float) -> None:
        self._requests.add(now)

    def take(self, now: float) -> bool:
        """Take leave for one retry, if there is any."""
        allowed = max(RETRY_FLOOR, RETRY_SHARE * self._requests.total(now))
        if self._retries.total(now) + 1 > allowed:
            return False
        self._retries.add(now)
        return True
