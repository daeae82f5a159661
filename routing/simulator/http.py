"""HTTP/1.1 of the simulated servers: requests in, answers and streams out, hang-ups noticed at once.

A small server of its own because faults need the wire: a reset after N bytes, half a chunk, bytes that
are no HTTP. Not responsible for what is answered.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import unquote

import httptools
import msgspec

Headers = tuple[tuple[str, str], ...]
# SO_LINGER on with no time: closing sends a reset instead of a regular end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_WITHOUT_BODY = (204, 304)
# A connection that is idle for so long after an answer is closed, as uvicorn does it, unannounced.
IDLE_SECONDS = 5.0
_PHRASES = {code.value: code.phrase for code in HTTPStatus}


class Request(msgspec.Struct, frozen=True):
    """A complete request. Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool
    chunked: bool


class Answer(msgspec.Struct, frozen=True):
    """A whole answer; `content_type` None means no such header; after the `last` the connection ends."""

    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: Headers = ()
    last: bool = False


class Stream(msgspec.Struct, frozen=True):
    """An answer that comes in pieces, always with status 200."""

    pieces: AsyncGenerator[bytes]
    content_type: str = "text/event-stream; charset=utf-8"
    headers: Headers = ()


class Broken(Exception):
    """The connection was ended on purpose; nothing more can be written."""


class Connection(asyncio.Protocol):
    """One client's connection: parses, queues pipelined requests, answers them one by one."""

    def __init__(self, serve: "Serve") -> None:
        self._serve = serve
        self._parser = httptools.HttpRequestParser(self)
        self._pending: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # `write` then waits until the kernel has every byte: a reset after N bytes is exact.
        transport.set_write_buffer_limits(high=0)
        self._serve.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._awake()
        self._serve.closed(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._awake()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # No server here upgrades; the request itself was complete and is answered.
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.write(
                    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                )
                self.close()

    # Called by the parser.
    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if (
            self._headers.get("expect", "").lower() == "100-continue"
            and self._transport is not None
        ):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path = httptools.parse_url(self._url).path or b"/"
        self._pending.append(
            Request(
                self._parser.get_method().decode(),
                unquote(path.decode("latin-1")),
                self._headers,
                bytes(self._body),
                self._parser.should_keep_alive(),
                self._parser.get_http_version() != "1.0",
            )
        )
        self._begin()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._answer_pending())

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting for a slow reader."""
        if self._transport is None:
            raise Broken
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    def close(self) -> None:
        """End the connection regularly, after what was written; requests that wait are forgotten."""
        self._pending.clear()
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """End the connection with a reset, as a process that died would."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    async def end(self) -> None:
        """End the connection at once, and what was being answered on it."""
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    async def _answer_pending(self) -> None:
        try:
            while self._pending and self._transport is not None:
                request = self._pending.popleft()
                await self._serve.answer(request, self)
                if not request.keep_alive:
                    return self.close()
        except Broken:
            pass
        except BaseException:
            # Half an answer must not look like one that is still to come.
            self.reset()
            raise
        finally:
            self._task = None
        if self._transport is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(IDLE_SECONDS, self.close)
        return None

    def _awake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


class Serve(msgspec.Struct, frozen=True):
    """What a connection needs of its server."""

    answer: Callable[[Request, Connection], Awaitable[None]]
    opened: Callable[[Connection], None]
    closed: Callable[[Connection], None]


class Reply:
    """Writes one answer. Faults override the underscored steps."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection = connection
        self._request = request

    async def whole(self, answer: Answer) -> None:
        body = self._encode(answer.body, last=True)
        headers = answer.headers
        if answer.status not in _WITHOUT_BODY:
            headers = (("content-length", str(len(body))), *headers)
        if self._request.method == "HEAD":
            body = b""
        await self._body(self._head(answer.status, answer.content_type, headers), body)
        if answer.last:
            self._connection.close()

    async def stream(self, stream: Stream) -> None:
        chunked = self._request.chunked
        framing = (("transfer-encoding", "chunked"),) if chunked else (("connection", "close"),)
        await self._write(self._head(200, stream.content_type, (*stream.headers, *framing)))
        async with aclosing(stream.pieces):
            async for piece in stream.pieces:
                await self._piece(self._encode(piece, last=False))
        if rest := self._encode(b"", last=True):
            await self._piece(rest)
        await self._write(b"0\r\n\r\n" if chunked else b"")
        if not chunked:
            self._connection.close()

    def _head(self, status: int, content_type: str | None, headers: Headers) -> bytes:
        kind = (("content-type", content_type),) if content_type is not None else ()
        lines = [
            f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}",
            f"date: {_date(int(time.time()))}",
        ]
        lines += [f"{name}: {value}" for name, value in (*kind, *headers, *self._extra_headers())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _extra_headers(self) -> Headers:
        return ()

    def _encode(self, data: bytes, *, last: bool) -> bytes:
        return data

    async def _body(self, head: bytes, body: bytes) -> None:
        await self._write(head + body)

    async def _piece(self, data: bytes) -> None:
        """One chunk; an empty one would end the answer and is left out."""
        if data:
            await self._write(
                b"%x\r\n%b\r\n" % (len(data), data) if self._request.chunked else data
            )

    async def _write(self, data: bytes) -> None:
        await self._connection.write(data)


_last_date = (0, "")


def _date(second: int) -> str:
    global _last_date
    if _last_date[0] != second:
        _last_date = (second, formatdate(second, usegmt=True))
    return _last_date[1]
