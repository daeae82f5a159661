"""How this room reaches the router: its socket, the first frame, and a bounded question for synchronous code."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from django.conf import settings

from routing.dispatch.frames import ROUTER_SOCKET, Frame, Hello, encode, read_frame

ASK_SECONDS = 0.3
SILENT_SECONDS = 3.0
"""A router that owes a word for this long is away."""
AWAY = (OSError, EOFError, ValueError)
"""What shows that there is no router, or none that speaks as ours does; `TimeoutError` is an `OSError`."""
Answer = TypeVar("Answer")


class Peer(NamedTuple):
    """An open connection, whose router has said who it is."""

    hello: Hello
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, frame: Frame) -> None:
        self.writer.write(encode(frame))
        await self.writer.drain()

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what the router sends, until it closes."""
        while (frame := await read_frame(self.reader)) is not None:
            yield frame


def router_socket() -> Path:
    return Path(settings.RUN_DIR) / ROUTER_SOCKET


@asynccontextmanager
async def connect(socket: Path) -> AsyncIterator[Peer]:
    """Connect and hear the router's name. Raises one of `AWAY`, also inside the block."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            hello = await read_frame(reader)
        if not isinstance(hello, Hello):
            raise EOFError("no greeting")
        yield Peer(hello, reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def ask(question: Callable[[Peer], Coroutine[None, None, Answer]]) -> Answer | None:
    """Put one question to the router from a thread without event loop; None when it is away, within 0.3 s."""

    async def put() -> Answer:
        async with asyncio.timeout(ASK_SECONDS), connect(router_socket()) as peer:
            return await question(peer)

    try:
        return asyncio.run(put())
    except AWAY:
        return None


def running_incarnation() -> str | None:
    """Return who the router is that runs at this moment."""

    async def name(peer: Peer) -> str:
        return peer.hello.incarnation

    return ask(name)
