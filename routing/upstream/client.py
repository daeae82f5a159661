"""The relay's own HTTP/1.1 client: pooled connections, bodies as they come, hang-ups noticed on both sides.

On `asyncio.Protocol` and httptools, because relaying is what the router exists for. It knows no engine, no
JSON and no retry beyond a stale idle connection; every address passes the egress guard first.
"""

from collections.abc import Sequence

import msgspec

from routing.upstream.credentials import Secret
from routing.upstream.egress import EgressPolicy, Grants, Target
from routing.upstream.resolving import Lookup

Headers = Sequence[tuple[bytes, bytes]]


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one server. With `unix_path` the socket there is used and the guard has no say (the portal)."""

    target: Target
    grants: Grants = ()
    token: Secret | None = None
    """Sent as `Authorization: Bearer`."""
    ca_bundle: str | None = None
    """PEM text to trust instead of the system's authorities."""
    unix_path: str | None = None


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds. `idle` is the longest silence inside a body, `head` from the last byte sent to the head."""

    connect: float = 5.0
    head: float = 600.0
    idle: float = 120.0


TIMEOUTS = Timeouts()


class Response:
    """An answer whose head has come. Names of headers are in lower case, hop-by-hop ones left out."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]

    def header(self, name: bytes) -> bytes | None:
        raise NotImplementedError

    async def read(self) -> bytes:
        """Return all bytes that have come since the last call, at least one; b"" at the end. Raises `UpstreamError`.

        While the caller does not read, the server is held back (64 kB).
        """
        raise NotImplementedError

    def abort(self) -> None:
        """Close the connection at once; after the end of the body it does nothing."""
        raise NotImplementedError


class Client:
    """One per router process."""

    def __init__(
        self, policy: EgressPolicy, *, lookup: Lookup | None = None, max_idle_per_target: int = 256
    ) -> None:
        raise NotImplementedError

    async def request(
        self,
        destination: Destination,
        method: str,
        path: str,
        headers: Headers = (),
        body: bytes = b"",
        timeouts: Timeouts = TIMEOUTS,
    ) -> Response:
        """Send a request and return once its head is there; cancelling closes the connection.

        `path` starts with a slash and follows the target's prefix; Host, Content-Length, Authorization and
        Accept-Encoding are the client's. Raises `EgressRefused`, `ConnectFailed`, `ConnectionLost`,
        `HeadTimeout`, `BadResponse`.
        """
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
