"""Host names to addresses. Whether an address may be used is the egress guard's question."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from routing.upstream.errors import ConnectCause, ConnectFailed

Lookup = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""(host, port) → addresses in the order in which to try them. Raises `ConnectFailed`."""

CACHE_S = 10.0


async def system_lookup(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver, in a thread."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise unknown(host) from None
    addresses = tuple(dict.fromkeys(str(address[0]) for *_rest, address in found))
    if not addresses:
        raise unknown(host)
    return addresses


def unknown(host: str) -> ConnectFailed:
    return ConnectFailed(ConnectCause.NAME, f"The name {host} has no address.")


class CachedLookup:
    """Remembers answers for a few seconds, and asks once for all who want the same name now.

    A burst of new connections must not fill the threads that the loop shares. Failures are not kept.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[tuple[str, ...]]]] = {}

    async def __call__(self, host: str, port: int) -> tuple[str, ...]:
        now = asyncio.get_running_loop().time()
        self._asked = {
            asked: (since, task)
            for asked, (since, task) in self._asked.items()
            if not task.done() or (not _failed(task) and now - since <= CACHE_S)
        }
        if (host, port) not in self._asked:
            task = asyncio.ensure_future(self._ask(host, port))
            task.add_done_callback(_failed)
            self._asked[host, port] = (now, task)
        return await asyncio.shield(self._asked[host, port][1])

    async def _ask(self, host: str, port: int) -> tuple[str, ...]:
        return await self._lookup(host, port)


def _failed(task: asyncio.Task[tuple[str, ...]]) -> bool:
    """Say whether a lookup brought nothing; having looked, nobody else needs to."""
    return task.cancelled() or task.exception() is not None
