"""The router's load and what is left of limits, for pages.

The load is followed once per process that has an event loop, else asked for once. Knows no database. A router
that is away, or silent for 3 s, reads as None.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from routing.bridge.router import AWAY, SILENT_SECONDS, Peer, ask, connect, router_socket
from routing.core.enums import Measure
from routing.dispatch.frames import AskQuotas, Load, Quotas, Subscribe
from routing.dispatch.messages import Quota

INTERVAL_MS = 500
RETRY_SECONDS = 0.5


class LoadFollower:
    """Follows the router in the event loop in which it was made, as long as that runs."""

    def __init__(self) -> None:
        self._latest: Load | None = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._follow())

    @property
    def latest(self) -> Load | None:
        """The newest load; may be read from any thread."""
        return self._latest

    @property
    def is_running(self) -> bool:
        return not (self._loop.is_closed() or self._task.done())

    def runs_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        return self.is_running and self._loop is loop

    async def _follow(self) -> NoReturn:
        while True:
            with suppress(*AWAY):
                async with connect(router_socket()) as peer:
                    await peer.send(Subscribe(interval_ms=INTERVAL_MS))
                    while True:
                        self._latest = await next_load(peer)
            self._latest = None
            await asyncio.sleep(RETRY_SECONDS)


async def next_load(peer: Peer) -> Load:
    """Return the next load that the router tells. Raises one of `AWAY` when none comes."""
    async with asyncio.timeout(SILENT_SECONDS):
        async for frame in peer.frames():
            if isinstance(frame, Load):
                return frame
    raise EOFError("the router has closed")


_follower: LoadFollower | None = None


def load_follower() -> LoadFollower:
    """Return this process's follower, started now if none runs in the present event loop."""
    global _follower
    if _follower is None or not _follower.runs_in(asyncio.get_running_loop()):
        _follower = LoadFollower()
    return _follower


def current_load() -> Load | None:
    """Return the load for a synchronous view: the follower's, or what the router answers within 0.3 s."""
    if _follower is not None and _follower.is_running:
        return _follower.latest

    async def one(peer: Peer) -> Load:
        await peer.send(Subscribe(interval_ms=INTERVAL_MS))
        return await next_load(peer)

    return ask(one)


def current_quotas(owners: Sequence[str]) -> dict[str, dict[Measure, Quota]] | None:
    """Return what is left of the limits of keys, applications and institutions; None without a router."""

    async def one(peer: Peer) -> dict[str, dict[Measure, Quota]]:
        await peer.send(AskQuotas(owners=tuple(owners)))
        async for frame in peer.frames():
            if isinstance(frame, Quotas):
                return frame.by_owner
        raise EOFError("the router has closed")

    return ask(one)
