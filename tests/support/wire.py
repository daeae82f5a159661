"""A server that says exactly the bytes it is told to, for tests of what speaks to servers.

A script is run for each connection. It reads requests, sends parts, waits, hangs up or resets, as a server
would that is well or ill.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from routing.upstream.client import Destination, Response
from routing.upstream.egress import Target

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
WAIT_SECONDS = 20.0


class Request(msgspec.Struct, frozen=True):
    """A request as it came: its head without the empty line, and its body."""

    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n")[0]

    def header(self, name: bytes) -> list[bytes]:
        pairs = [line.partition(b": ") for line in self.head.split(b"\r\n")[1:]]
        return [value for key, _, value in pairs if key.lower() == name]


class Peer:
    """One connection, as the server's script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sent = 0
        self.requests: list[Request] = []
        self._reader, self._writer = reader, writer

    async def request(self) -> Request | None:
        """Return the next request, None when the client has hung up."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n"))[:-4]
            request = Request(head, b"")
            length = int((request.header(b"content-length") or [b"0"])[0])
            request = Request(head, await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self.requests.append(request)
        return request

    async def take(self, size: int) -> None:
        """Read so many bytes of whatever the client sends."""
        await self._reader.readexactly(size)

    async def send(self, data: bytes) -> None:
        """Send, and return once the client has room for more."""
        self._writer.write(data)
        self.sent += len(data)
        await self._writer.drain()

    async def reset(self) -> None:
        """End the connection as a process does that is killed with bytes unread."""
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._writer.transport.abort()

    async def until_hung_up(self) -> None:
        """Return once the client has closed the connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass


Script = Callable[[Peer], Awaitable[None]]


class Wire:
    """The listening server. `peers` holds every connection that was ever made, in order."""

    def __init__(self, script: Script) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self._script = script
        self._running: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> list[Request]:
        return [request for peer in self.peers for request in peer.requests]

    def destination(self, host: str = HOST, *, scheme: str = "http") -> Destination:
        """Return the way here, granted."""
        return Destination(target=Target(scheme, host, self.port), grants=((HOST, self.port),))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        peer = Peer(reader, writer)
        self.peers.append(peer)
        try:
            await self._script(peer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._running.discard(task)
            writer.close()

    @property
    def open(self) -> int:
        """How many connections have not been closed, on either side."""
        return len(self._running)

    async def end(self) -> None:
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, path: Path | None = None
) -> AsyncGenerator[Wire]:
    """Listen on a free port of 127.0.0.1, or on a unix socket, while the block runs."""
    wire = Wire(script)
    if path is None:
        server = await asyncio.start_server(wire.serve, HOST, 0, ssl=tls)
        wire.port = server.sockets[0].getsockname()[1]
    else:
        server = await asyncio.start_unix_server(wire.serve, path)
    try:
        yield wire
    finally:
        server.close()
        await wire.end()


def answering(*answers: bytes) -> Script:
    """Answer the first request of a connection with the first answer, and so on; the last one serves for the rest."""

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(answers[min(len(peer.requests), len(answers)) - 1])

    return script


def answering_once(*parts: bytes) -> Script:
    """Answer one request, part by part, then hang up."""

    async def script(peer: Peer) -> None:
        if await peer.request() is not None:
            for part in parts:
                await peer.send(part)
                await asyncio.sleep(0)

    return script


def answering_each(*answers: bytes) -> Script:
    """Answer as many requests as there are answers, then hang up."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.send(answer)

    return script


async def silent(peer: Peer) -> None:
    """Take a request and say nothing."""
    await peer.request()
    await peer.until_hung_up()


async def whole(response: Response) -> bytes:
    """Read an answer to its end."""
    body = bytearray()
    while data := await response.read():
        body += data
    return bytes(body)


async def eventually(condition: Callable[[], object], what: str) -> None:
    """Return as soon as the condition holds; fail, naming what was waited for, if it never does."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + WAIT_SECONDS
    while not condition():
        assert loop.time() < ends_at, f"waited {WAIT_SECONDS:g} s for: {what}"
        await asyncio.sleep(0.005)
