"""The relay's own HTTP/1.1 client: pooled connections, bodies as they come, hang-ups noticed on both sides.

On `asyncio.Protocol` and httptools, because relaying is what the router exists for. It knows no engine, no
JSON and no retry beyond a stale idle connection; every address passes the egress guard first.
"""

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache, partial

import msgspec

from routing.upstream.connection import Connection
from routing.upstream.destinations import Destination
from routing.upstream.egress import EgressPolicy
from routing.upstream.errors import ConnectCause, ConnectFailed, ConnectionLost
from routing.upstream.opening import Opener
from routing.upstream.patience import Patience
from routing.upstream.pool import Key, Pool, key_of
from routing.upstream.resolving import CachedLookup, Lookup
from routing.upstream.response import Response
from routing.upstream.tls import forget_identity

__all__ = ["TIMEOUTS", "Client", "Destination", "Headers", "Response", "Timeouts"]

Headers = Sequence[tuple[bytes, bytes]]

_PATH = re.compile(r"/[!-~]*")
_HAS_BODY = frozenset({"POST", "PUT", "PATCH"})
_REPEATABLE = frozenset({"GET", "HEAD"})
_IDENTITY = b"accept-encoding: identity\r\n"


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds. `idle` is the longest silence inside a body, `head` from the last byte sent to the head."""

    connect: float = 5.0
    head: float = 600.0
    idle: float = 120.0


TIMEOUTS = Timeouts()


class Client:
    """One per router process, and per policy: another policy is another client."""

    def __init__(
        self, policy: EgressPolicy, *, lookup: Lookup | None = None, max_idle_per_target: int = 256
    ) -> None:
        self.policy = policy
        self._opener = Opener(policy, lookup or CachedLookup())
        self._pool = Pool(max_idle_per_target)
        self._patience = Patience()
        self._connections: set[Connection] = set()
        self._closed = False

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

        `path` starts with a slash and follows the target's prefix. Host, Content-Length and, with a token,
        Authorization are the client's; Accept-Encoding is `identity` unless the caller says otherwise. Raises
        `EgressRefused`, `ConnectFailed`, `ConnectionLost`, `HeadTimeout`, `BadResponse`, and `ValueError` on
        a path or header that would break the framing.
        """
        head = _head(destination, method, path, headers, len(body))
        key = key_of(destination)
        connection = self._pool.take(key) if _may_repeat(destination, method) else None
        if connection is not None:
            try:
                return await _send(connection, method, head, body, timeouts)
            except ConnectionLost as lost:
                if not lost.early:
                    raise
        connection = await self._open(destination, key, timeouts.connect)
        return await _send(connection, method, head, body, timeouts)

    def forget(self, destination: Destination) -> None:
        """Keep no connection made in this way: it was withdrawn, or changed. Answers under way are finished."""
        self._pool.forget(key_of(destination))
        if destination.identity is not None:
            forget_identity(destination.ca_bundle, destination.identity)

    async def close(self) -> None:
        """Close every connection at once; requests under way are lost, later ones fail."""
        self._closed = True
        ending = [connection.gone for connection in self._connections]
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.gather(*ending)

    async def _open(self, destination: Destination, key: Key, seconds: float) -> Connection:
        if self._closed:
            raise ConnectFailed(ConnectCause.REFUSED, "The router is stopping.")
        make = partial(
            Connection, self._patience, partial(self._pool.put, key), partial(self._gone, key)
        )
        self._pool.welcome(key)
        connection = await self._opener.open(destination, make, seconds)
        if connection.usable:
            self._connections.add(connection)
        if self._closed:
            connection.abort()
        return connection

    def _gone(self, key: Key, connection: Connection) -> None:
        self._pool.remove(key, connection)
        self._connections.discard(connection)


def _may_repeat(destination: Destination, method: str) -> bool:
    """Say whether a request does no harm when it is sent again, as one on a used connection may have to be.

    Asking a model does none; what a form does in the portal must be done once.
    """
    return destination.unix_path is None or method in _REPEATABLE


async def _send(
    connection: Connection, method: str, head: bytes, body: bytes, timeouts: Timeouts
) -> Response:
    return await connection.exchange(
        head, body, bodiless=method == "HEAD", head_s=timeouts.head, idle_s=timeouts.idle
    )


def _head(destination: Destination, method: str, path: str, headers: Headers, length: int) -> bytes:
    """Return the head of a request. Raises `ValueError`."""
    prefix, fixed = _fixed_parts(destination)
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
        raise ValueError("a header holds a line break")
    if not _PATH.fullmatch(path) or not method.isalpha():
        raise ValueError("a method or path that would break the request line")
    if b"\naccept-encoding:" not in b"\n" + lines:
        lines += _IDENTITY
    if length or method in _HAS_BODY:
        lines += b"content-length: %d\r\n" % length
    return b"%b %b%b%b%b\r\n" % (method.encode(), prefix, path.encode(), fixed, lines)


@lru_cache(maxsize=1024)
def _fixed_parts(destination: Destination) -> tuple[bytes, bytes]:
    """Return what stands before the path, and what stands between the path and the headers of a request."""
    host = destination.target.authority.encode()
    fixed = b" HTTP/1.1\r\nhost: %b\r\n" % host
    if destination.token:
        fixed += b"authorization: Bearer %b\r\n" % destination.token.reveal().encode()
    return destination.target.prefix.encode(), fixed
