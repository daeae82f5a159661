"""What can go wrong on the way to a server, one class per thing that a caller does differently.

No message holds bytes that a server sent: what is shown to people must not become an oracle.
"""

from enum import StrEnum
from typing import ClassVar

from routing.core.retry import Failure


class UpstreamError(Exception):
    """A request could not be carried out, through no fault of the client that asked.

    `failure` is what it means for the attempt.
    """

    failure: ClassVar[Failure]


class RefusalReason(StrEnum):
    """Why the egress guard refuses an address; pages translate these codes."""

    BAD_URL = "bad_url"
    PLAIN_HTTP = "plain_http"
    PORT = "port"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared"
    LINK_LOCAL = "link_local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    RESERVED = "reserved"
    UNSPECIFIED = "unspecified"


GRANTABLE = frozenset(
    {
        RefusalReason.PLAIN_HTTP,
        RefusalReason.PORT,
        RefusalReason.LOOPBACK,
        RefusalReason.PRIVATE,
        RefusalReason.SHARED,
    }
)
"""What a grant of exactly this address and port lifts."""
GRANTABLE_BY_RANGE = frozenset({RefusalReason.PRIVATE, RefusalReason.SHARED})
"""What a grant of a whole network lifts: nobody's own machine is lent to a network."""


class EgressRefused(UpstreamError):
    """The guard does not let the router connect there. The message is a sentence for people."""

    failure = Failure.DENIED

    def __init__(
        self, reason: RefusalReason, sentence: str, *, address: str = "", port: int = 0
    ) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.address, self.port = address, port
        """What was refused, unless it was the URL itself."""

    @property
    def grantable(self) -> bool:
        """Whether a grant for exactly this address and port would lift the refusal."""
        return self.reason in GRANTABLE


class ConnectCause(StrEnum):
    """Why no connection came about."""

    NAME = "name"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"


class ConnectFailed(UpstreamError):
    """No connection: nothing was sent, another server may be asked."""

    failure = Failure.CONNECT

    def __init__(
        self,
        cause: ConnectCause,
        sentence: str,
        *,
        verify_code: int | None = None,
        wants_certificate: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.cause = cause
        self.verify_code = verify_code
        """OpenSSL's number of what is wrong with the certificate, when it is that."""
        self.wants_certificate = wants_certificate
        """Whether the server ended the handshake for want of ours, or did not like it."""


class ConnectionLost(UpstreamError):
    """The connection ended before the answer did."""

    failure = Failure.LOST

    def __init__(self, *, bytes_received: int, early: bool = False) -> None:
        super().__init__(f"connection lost after {bytes_received} bytes of the answer")
        self.bytes_received = bytes_received
        self.early = early
        """Whether nothing had come and hardly any time had passed: a server that had closed an idle connection
        looks so, and the same request may go on a new one."""


class HeadTimeout(UpstreamError):
    """The head of the answer, or more of its body, did not come in time."""

    failure = Failure.TIMEOUT


class BadResponse(UpstreamError):
    """What came is not HTTP/1.1, or its head is beyond the limits."""

    failure = Failure.BAD_ANSWER


class BodyTooLarge(UpstreamError):
    """The body exceeds the limit that the caller set, in bytes."""

    failure = Failure.BAD_ANSWER

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is larger than {limit} bytes")
        self.limit = limit
