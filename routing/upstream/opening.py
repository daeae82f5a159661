"""A new connection: the name resolved and checked by the egress guard, then to the checked address itself.

Not here: connections that are there already (`pool`).
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

from routing.upstream.connection import Connection
from routing.upstream.destinations import Destination
from routing.upstream.egress import Address, EgressPolicy, resolve
from routing.upstream.errors import ConnectCause, ConnectFailed
from routing.upstream.resolving import Lookup
from routing.upstream.tls import context_for, tls_failure

_DEAD_PEER_MS = 30_000
"""A host that acknowledges nothing for so long is gone; TCP's own patience is a quarter of an hour."""
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS),
)


Make = Callable[[], Connection]


class Opener:
    """Connects to wherever the policy and a destination's own grants allow."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def open(self, destination: Destination, make: Make, seconds: float) -> Connection:
        """Connect within `seconds`. Raises `EgressRefused`, `ConnectFailed`."""
        if destination.unix_path is not None:
            return await _open_unix(destination.unix_path, make, seconds)
        ends_at = asyncio.get_running_loop().time() + seconds
        context = _context_of(destination)
        addresses = await self._resolve(destination, seconds)
        return await _open_first(addresses, destination.target.host, context, make, ends_at)

    async def _resolve(self, destination: Destination, seconds: float) -> tuple[Address, ...]:
        target = destination.target
        try:
            async with asyncio.timeout(seconds):
                return await resolve(target, self._policy, destination.grants, self._lookup)
        except TimeoutError:
            raise ConnectFailed(
                ConnectCause.NAME, f"The name {target.host} was not resolved in time."
            ) from None


def _context_of(destination: Destination) -> ssl.SSLContext | None:
    if not destination.target.tls:
        return None
    return context_for(destination.ca_bundle, destination.identity)


async def _open_first(
    addresses: tuple[Address, ...],
    host: str,
    context: ssl.SSLContext | None,
    make: Make,
    ends_at: float,
) -> Connection:
    """Connect to the first address that answers; each has an equal share of the time that is left."""
    loop = asyncio.get_running_loop()
    failures: list[ConnectFailed] = []
    for index, address in enumerate(addresses):
        share = (ends_at - loop.time()) / (len(addresses) - index)
        try:
            return await _open_tcp(address, host, context, make, share)
        except ConnectFailed as failure:
            failures.append(failure)
    raise failures[0]


async def _open_tcp(
    address: Address, host: str, context: ssl.SSLContext | None, make: Make, seconds: float
) -> Connection:
    """Connect to the address; the name only serves to know the server's certificate."""
    try:
        async with asyncio.timeout(seconds):
            transport, connection = await asyncio.get_running_loop().create_connection(
                make,
                address.ip,
                address.port,
                ssl=context,
                server_hostname=host if context else None,
            )
    except ssl.SSLError as error:
        raise tls_failure(host, address.port, error) from None
    except OSError as error:
        raise connect_failure(
            f"{host} port {address.port}", error, tls=context is not None
        ) from None
    connected: socket.socket = transport.get_extra_info("socket")
    for level, name, value in _SOCKET_OPTIONS:
        connected.setsockopt(level, name, value)
    return connection


async def _open_unix(path: str, make: Make, seconds: float) -> Connection:
    try:
        async with asyncio.timeout(seconds):
            _, connection = await asyncio.get_running_loop().create_unix_connection(make, path)
    except OSError as error:
        raise connect_failure("the other side of the socket", error, tls=False) from None
    return connection


def connect_failure(where: str, error: OSError, *, tls: bool) -> ConnectFailed:
    """Return what to say of a connection that did not come about. A `TimeoutError` is an `OSError`."""
    if isinstance(error, TimeoutError):
        return ConnectFailed(ConnectCause.TIMEOUT, f"{where} did not answer in time.")
    if isinstance(error, ConnectionRefusedError):
        return ConnectFailed(ConnectCause.REFUSED, f"{where} refuses connections.")
    if tls and isinstance(error, ConnectionError):
        return ConnectFailed(ConnectCause.TLS, f"{where} hung up during the TLS handshake.")
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return ConnectFailed(ConnectCause.REFUSED, f"There is no way to {where}.")
    return ConnectFailed(ConnectCause.REFUSED, f"{where} cannot be reached.")
