"""Why an attempt at a server failed, and what follows from it: blame and a further attempt. Pure."""

from enum import StrEnum


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
    """The server does not have this endpoint or does not know its own served name."""


HARMS_HEALTH = frozenset(
    {
        Failure.CONNECT,
        Failure.LOST,
        Failure.TIMEOUT,
        Failure.SERVER_ERROR,
        Failure.BAD_ANSWER,
        Failure.DENIED,
    }
)
"""Failures that speak against the server. Fullness is no fault, a missing endpoint is no ill health."""

MAX_ATTEMPTS = 4
