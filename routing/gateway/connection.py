"""A client's connection: uvicorn's own, and what it leaves out. See docs/adr/0007.

Heads that do not come or are too large are refused, a hang-up is told at once to the request that runs, and a
client can be cut. Not here: what a request asks for (`app`).
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from routing.core.ids import uuid7
from routing.gateway.errors import ApiError, Code, error_body

MAX_HEAD_BYTES = 32 * 1024
MAX_DROPPED_BYTES = 64 * 1024 * 1024
"""How much of a refused body is read and dropped, so that the client gets to see why."""
SLOW_HEAD_SECONDS = 1.0
SCOPE_KEY = "ilaas.connection"


Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Guest(Protocol):
    """The request that runs on a connection."""

    def hung_up(self) -> None:
        """The client has left."""

    def too_slow(self) -> None:
        """The client has read nothing of what waits for it for too long."""

    def broken_body(self) -> bool:
        """What comes is no body any more; return whether the request will say so to the client."""

    def stopping(self) -> None:
        """The router is about to end; what runs may finish within its patience."""


class Connection(HttpToolsProtocol):
    """`guest` is the running request, `head_since` when a head began that is not complete, 0 for none.

    Offers of another protocol (`Upgrade: h2c` of Java's client, WebSocket) are declined by not hearing them.
    """

    guest: Guest | None = None
    head_since = 0.0
    _unread_since = 0.0
    _unread_bytes = 0
    _head_bytes = 0
    _dropped_bytes = 0

    def __init__(self, watched: set["Connection"], most: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.parser = _DecliningParser(self)
        self.access_log = False  # however logging is configured: a query may hold anything
        self._watched, self._most = watched, most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._watched.add(self)
        self.head_since = self.loop.time()
        if len(self._watched) > self._most:
            self.refuse(Code.ROUTER_BUSY, "Too many connections at once, try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watched.discard(self)
        if self.guest is not None:
            self.guest.hung_up()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.head_since:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.refuse(Code.HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {SCOPE_KEY: {"connection": self}}
        self.head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        if self._is_offer():
            return
        self.head_since, self._head_bytes = 0.0, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._is_offer():
            super().on_message_complete()

    def head_without_offer(self) -> bytes:
        """Return the head that was just read as it reads without the offer of another protocol."""
        version = self.parser.get_http_version().encode()
        kept = [b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade"]
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
        return b"".join((line, *kept, b"\r\n"))

    def _is_offer(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle.response_complete:
            self._dropped_bytes += len(body)
            if self._dropped_bytes > MAX_DROPPED_BYTES:
                self.abort()

    def shutdown(self) -> None:
        super().shutdown()
        if self.guest is not None:
            self.guest.stopping()

    def send_400_response(self, msg: str) -> None:
        self.refuse(Code.BAD_REQUEST)

    def refuse(self, code: Code, message: str = "") -> None:
        """End the connection with an error, or silently when an answer is under way."""
        if self.transport.is_closing():
            return None
        if self.guest is not None:
            is_told = code is Code.BAD_REQUEST and self.guest.broken_body()
            return None if is_told else self.abort()
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            return self.abort()
        error = ApiError(code, message)
        body = error_body(error, "")
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n"
            b"connection: close\r\n\r\n%b" % (len(body), str(uuid7()).encode(), body)
        )
        self.transport.close()
        return None

    @property
    def address(self) -> str:
        """Return the other end's address, which may be a proxy's."""
        return str(self.client[0]) if self.client else ""

    def has_slow_head(self, now: float) -> bool:
        """Say whether a head has been awaited for a second: whoever means well sends it at once."""
        return bool(self.head_since) and now - self.head_since > SLOW_HEAD_SECONDS

    def look(self, now: float, head_seconds: float, unread_seconds: float) -> None:
        """Refuse a head that does not come, and cut a client that does not read what waits for it."""
        if self.head_since and now - self.head_since > head_seconds:
            self.refuse(Code.BODY_TIMEOUT, "The head of the request did not come in time")
        # While neither is so, little waits, and the next part may hide how much was read.
        waits = self.flow.write_paused or self.transport.is_closing()
        unread = self.transport.get_write_buffer_size() if waits else 0
        if not unread or unread < self._unread_bytes or not self._unread_since:
            self._unread_since = now if unread else 0.0
        elif now - self._unread_since > unread_seconds:
            self._cut_unread()
        self._unread_bytes = unread

    def _cut_unread(self) -> None:
        """Let the request that runs account why it ends; one that has ended already needs no word."""
        if self.guest is not None:
            self.guest.too_slow()
        else:
            self.abort()

    def abort(self) -> None:
        """End the connection at once; what was not sent yet is dropped."""
        self.transport.abort()


class _DecliningParser(httptools.HttpRequestParser):
    """Takes a request that offers another protocol as the HTTP/1.1 request that it is besides.

    httptools ends such a request with its head; the head is read again without the offer, then the body.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own

    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        rest = memoryview(data)
        while True:
            try:
                return super().feed_data(rest)
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
            super().feed_data(self._connection.head_without_offer())


class _Held:
    """Stands in for the transport while the parts of an answer are written that are to leave together."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.write = self.parts.append
        self.closed = False

    def close(self) -> None:
        self.closed = True


async def send_together(send: Send, *messages: Message) -> None:
    """Send messages of one answer in one write: a second system call costs as much as all else here."""
    cycle: Any = send.__self__  # type: ignore[attr-defined]  # uvicorn's, whose method it is
    transport, cycle.transport = cycle.transport, (held := _Held())
    try:
        for message in messages:
            await send(message)
    finally:
        cycle.transport = transport
        if not transport.is_closing():
            transport.write(b"".join(held.parts))
        if held.closed:
            transport.close()


def connections(watched: set[Connection], most: int) -> Callable[..., Connection]:
    """Return what uvicorn calls for each new connection; those that live are in `watched`, at most so many."""
    return partial(Connection, watched, most)
