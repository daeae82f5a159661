"""One request and its answer on a client's connection: the body read within limits, the answer written once.

Not here: who asks, what for, and where the answer comes from.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from enum import StrEnum
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from routing.core.ids import uuid7
from routing.gateway.connection import SCOPE_KEY, Connection, Message, Send, send_together
from routing.gateway.errors import ApiError, Code, error_body, error_event

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = Sequence[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")
NO_BUFFERING = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
NO_CONTENT = 204
_SAFE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class Cut(StrEnum):
    """Why a request was ended from outside."""

    HUNG_UP = "client_left"
    SLOW_BODY = "slow_body"
    BROKEN_BODY = "broken_body"
    SLOW_CLIENT = "slow_client"
    TOO_LONG = "run_timeout"
    STOPPING = "router_stopping"
    STOPPED = "stopped_by_operators"
    MODEL_STOPPED = "model_stopped"


TOLD = {
    Cut.SLOW_BODY: Code.BODY_TIMEOUT,
    Cut.BROKEN_BODY: Code.BAD_REQUEST,
    Cut.TOO_LONG: Code.TOO_LONG,
    Cut.STOPPING: Code.STOPPING,
    Cut.STOPPED: Code.STOPPED,
    Cut.MODEL_STOPPED: Code.MODEL_STOPPED,
}
"""What a client hears that is still there when its request is cut."""


class Budget:
    """Bytes that all requests may hold together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0

    def take(self, size: int) -> bool:
        """Take `size` bytes if they are there."""
        if self.taken + size > self._limit:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        self.taken -= size


class Exchange:
    """Made by the application for each request, in the task that answers it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: Headers = scope["headers"]
        self._by_name: dict[bytes, bytes] = dict(reversed(self.headers))
        self.scope = scope
        self.id = str(uuid7())
        self.client_id = self._client_id()
        self.endpoint = ""
        self.started = False
        self.is_stream = False
        self.status = 0
        self.cut_by: Cut | None = None
        self.ends_at_stop = False
        """Whether this answer has no end of its own (a live page), so that the router need not wait for it."""
        self.reading_since = self.part_since = 0.0
        """Since when the body, and its next part, are waited for, in the loop's time; 0 when they are not."""
        self._answer_headers: list[tuple[bytes, bytes]] = [
            (b"x-request-id", (self.client_id or self.id).encode())
        ]
        self._receive, self._send = receive, send
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self._connection: Connection = scope["extensions"][SCOPE_KEY]["connection"]
        self._connection.guest = self

    def header(self, name: bytes) -> bytes:
        """Return the first header of this lower-case name, empty when there is none."""
        return self._by_name.get(name, b"")

    @property
    def peer(self) -> str:
        """Return the address at the other end of the connection, which may be a proxy's."""
        client = self.scope["client"]
        return str(client[0]) if client else ""

    def add_header(self, name: bytes, value: bytes) -> None:
        """Add a header to whatever will be answered."""
        self._answer_headers.append((name, value))

    def add_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._answer_headers += headers

    def hung_up(self) -> None:
        self.cut(Cut.HUNG_UP)

    def too_slow(self) -> None:
        self.cut(Cut.SLOW_CLIENT)

    def broken_body(self) -> bool:
        if not self.reading_since or self.started:
            return False
        self.cut(Cut.BROKEN_BODY)
        return True

    def stopping(self) -> None:
        if self.ends_at_stop:
            self.cut(Cut.STOPPING)

    def cut(self, why: Cut) -> None:
        """End the request from outside, by cancelling what it waits for; the second time, with its connection."""
        if self.cut_by is None:
            self.cut_by = why
            self.task.cancel()
        else:
            self._connection.abort()

    async def read_body(self, limit: int, budget: Budget) -> bytes:
        """Return the whole body; its size is then taken from the budget. Raises `ApiError`, having taken none."""
        if self._declared_length() > limit:
            raise _too_large(limit)
        taken, parts, more = 0, [], True
        self.reading_since = self._loop.time()
        try:
            while more:
                self.part_since = self._loop.time()
                message = await self._receive()
                part, more = message.get("body", b""), message.get("more_body", False)
                if taken + len(part) > limit:
                    raise _too_large(limit)
                if not budget.take(len(part)):
                    raise ApiError(Code.ROUTER_BUSY)
                taken += len(part)
                parts.append(part)
        except BaseException:
            budget.give_back(taken)
            raise
        finally:
            self.reading_since = 0.0
        return b"".join(parts)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the answer's head; from here on its status is settled."""
        await self._send(self._head(status, headers))

    async def start_stream(self) -> None:
        """Send the head of an event stream, unless it is out already."""
        if not self.started:
            self.is_stream = True
            await self.start(200, (EVENT_STREAM, *NO_BUFFERING))

    async def write(self, data: bytes) -> None:
        """Pass a part of the answer on, once the client has read enough of those before."""
        await self._send(_part(data, more=True))

    async def try_write(self, data: bytes) -> None:
        """Send a part of an event stream at once, its head before it, or nothing to who reads too slowly."""
        if self._connection.flow.write_paused:
            return
        messages = [_part(data, more=True)]
        if not self.started:
            self.is_stream = True
            messages.insert(0, self._head(200, (EVENT_STREAM, *NO_BUFFERING)))
        await send_together(self._send, *messages)

    async def finish(self, data: bytes = b"") -> None:
        await self._send(_part(data, more=False))

    async def answer(self, status: int, body: bytes, headers: Headers = (JSON,)) -> None:
        """Send a whole answer; returns once the client has read most of a long one, whose room it keeps taken."""
        length = ((b"content-length", b"%d" % len(body)),) if status != NO_CONTENT else ()
        head = self._head(status, (*headers, *length))
        is_long = len(body) > HIGH_WATER_LIMIT
        await send_together(self._send, head, _part(body, more=is_long))
        if is_long:
            await self.finish()

    async def fail(self, error: ApiError, *, status: int = 0) -> None:
        """Tell the client what went wrong, in a way that still fits what it was told before."""
        if not self.started:
            if (seconds := error.retry_after) is not None:
                self.add_header(b"retry-after", b"%d" % seconds)
            await self.answer(status or error.status, error_body(error, self.endpoint))
        elif self.is_stream:
            await self.finish(error_event(error, self.endpoint))
        else:
            await self.drop_client()

    async def drop_client(self) -> None:
        """Close the connection: the only way left to say that an answer is not whole."""
        self._connection.abort()
        await asyncio.sleep(0)  # uvicorn sees the connection lost before the application returns

    async def tell_cut(self) -> None:
        """After the cancellation: tell the client why its request ends, if it is still there to hear it."""
        if self.cut_by is None:
            self.cut_by = Cut.STOPPING  # only the server's own end cancels without a word
        else:
            self.task.uncancel()
        if self.cut_by is Cut.BROKEN_BODY:
            self.add_header(b"connection", b"close")
        if code := TOLD.get(self.cut_by):
            await self.fail(ApiError(code))
        else:
            await self.drop_client()

    def end(self) -> None:
        """Nothing more will be sent: the connection may serve the next request."""
        self._connection.guest = None

    def _head(self, status: int, headers: Headers) -> Message:
        self.started, self.status = True, status
        return {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, *self._answer_headers],
        }

    def _client_id(self) -> str:
        given = self.header(b"x-request-id")
        return given.decode() if _SAFE_ID.fullmatch(given) else ""

    def _declared_length(self) -> int:
        text = self.header(b"content-length")
        return int(text) if text.isdigit() else 0


def _part(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _too_large(limit: int) -> ApiError:
    return ApiError(
        Code.BODY_TOO_LARGE, f"The body is too large: at most {limit / 1e6:g} MB are taken"
    )
