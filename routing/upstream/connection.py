"""One connection to a server: one request at a time and its answer, silence measured, the server held back.

Not here: how it came about (`opening`), where it waits for its next request (`pool`), how answers are framed
(`framing`).
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import cast

from routing.upstream.errors import (
    BadResponse,
    ConnectCause,
    ConnectFailed,
    ConnectionLost,
    HeadTimeout,
    UpstreamError,
)
from routing.upstream.framing import Framing
from routing.upstream.patience import Patience
from routing.upstream.response import Response
from routing.upstream.tls import is_wish_for_certificate

HIGH_WATER = 64 * 1024
"""Unread bytes of a body from which the server is held back."""
IDLE_S = 60.0
"""How long a connection waits for its next request."""
EARLY_S = 2.0
"""A connection that is lost this soon, without a byte, may have been closed before the request came."""
FORGOTTEN_S = 900.0
"""How long a held-back answer waits for its caller, who may have forgotten it."""
_JOIN_BYTES = 16 * 1024
"""A body up to this size is copied behind its head, which costs less than a second buffer."""


class Phase(Enum):
    """What the connection waits for."""

    IDLE = "the next request"
    SENDING = "the server to take the request"
    HEAD = "the head of the answer"
    BODY = "more of the body"


class Connection(asyncio.Protocol):
    """`on_idle` is told when it may serve another request, `on_gone` once when it never will again."""

    def __init__(
        self,
        patience: Patience,
        on_idle: Callable[["Connection"], None],
        on_gone: Callable[["Connection"], None],
    ) -> None:
        self.deadline = patience.until(IDLE_S)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._patience = patience
        self._on_idle, self._on_gone = on_idle, on_gone
        self._transport: asyncio.Transport
        self._response: Response | None = None
        self._framing: Framing | None = None
        self._phase = Phase.IDLE
        self._head_s = self._idle_s = self._asked_at = 0.0
        self._unsent = 0
        self._paused = False
        self._why_lost: UpstreamError | None = None

    @property
    def usable(self) -> bool:
        return self._phase is Phase.IDLE and not self._transport.is_closing()

    async def exchange(
        self, head: bytes, body: bytes, *, bodiless: bool, head_s: float, idle_s: float
    ) -> Response:
        """Send a request and return its answer once the head is there; being cancelled closes the connection.

        `bodiless` says that the answer has no body, `head_s` and `idle_s` how long silence may last. Raises
        `ConnectionLost`, `HeadTimeout`, `BadResponse`.
        """
        if not self.usable:
            if self._transport.is_closing():
                await self.gone  # at once: and then it is known why
            raise self._why_lost or ConnectionLost(bytes_received=0, early=True)
        response = self._response = Response(self)
        self._framing = Framing(response, bodiless=bodiless)
        self._head_s, self._idle_s = head_s, idle_s
        self._phase = Phase.HEAD
        self._asked_at = self._patience.now
        self.deadline = self._patience.until(head_s)
        if len(body) <= _JOIN_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        try:
            await response.head()
        except BaseException:
            response.abort()
            raise
        return response

    def abort(self) -> None:
        """Close at once; an answer under way is lost."""
        self._lose(None)

    def resume(self) -> None:
        """The caller has read: the server may go on."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self.deadline = self._patience.until(self._idle_s)
            self._transport.resume_reading()

    def expire(self) -> None:
        """Nothing has moved until the deadline."""
        if self._phase is Phase.SENDING and self._sends_on():
            return
        self._lose(HeadTimeout(f"waited too long for {self._phase.value}"))

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        # `resume_writing` then tells of the last byte.
        self._transport.set_write_buffer_limits(1, 0)
        self._patience.watch(self)

    def pause_writing(self) -> None:
        if self._phase is Phase.HEAD:
            self._phase = Phase.SENDING
            self._unsent = self._transport.get_write_buffer_size()
            self.deadline = self._patience.until(self._idle_s)

    def resume_writing(self) -> None:
        if self._phase is Phase.SENDING:
            self._phase = Phase.HEAD
            self.deadline = self._patience.until(self._head_s)

    def data_received(self, data: bytes) -> None:
        response, framing = self._response, self._framing
        if response is None or framing is None:
            self._transport.abort()  # nothing was asked: it answers no request of ours
            return
        try:
            framing.feed(data)
        except BadResponse as error:
            self._lose(error)
            return
        if framing.ended:
            self._finish(response, keep_alive=framing.keep_alive)
        elif response.status:
            self._phase = Phase.BODY
            self._wait_for_more(response)

    def eof_received(self) -> None:
        if self._response is not None and self._framing is not None and self._framing.until_close:
            self._finish(self._response, keep_alive=False)
        else:
            self._lose(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._why_lost = _complaint(exc)
        self._lose(self._why_lost)
        self._patience.forget(self)
        self._on_gone(self)
        if not self.gone.done():
            self.gone.set_result(None)

    # The end of an answer

    def _wait_for_more(self, response: Response) -> None:
        if response.pending_bytes > HIGH_WATER:
            if not self._paused:
                self._paused = True
                self._transport.pause_reading()
                self.deadline = self._patience.until(FORGOTTEN_S)
        else:
            self.deadline = self._patience.until(self._idle_s)
        response.wake()

    def _finish(self, response: Response, *, keep_alive: bool) -> None:
        """The answer is whole: the next request may come, unless something is left of this one."""
        self._leave()
        response.end()
        if not keep_alive or self._paused or self._transport.get_write_buffer_size():
            self._transport.abort()
        elif not self._transport.is_closing():
            self.deadline = self._patience.until(IDLE_S)
            self._on_idle(self)

    def _lose(self, error: UpstreamError | None) -> None:
        """Close; an answer that was under way ends with the error, by default that the connection was lost."""
        response, framing = self._response, self._framing
        if response is not None and framing is not None:
            lost = ConnectionLost(bytes_received=framing.received, early=self._is_early(framing))
            self._leave()
            response.fail(error or lost)
        self._transport.abort()

    def _is_early(self, framing: Framing) -> bool:
        return framing.received == 0 and self._patience.now - self._asked_at <= EARLY_S

    def _leave(self) -> None:
        assert self._framing is not None
        self._framing.close()
        self._response = self._framing = None
        self._phase = Phase.IDLE

    def _sends_on(self) -> bool:
        """Say whether the server has taken some of the request since the last look."""
        before, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        if self._unsent >= before:
            return False
        self.deadline = self._patience.until(self._idle_s)
        return True


def _complaint(error: Exception | None) -> UpstreamError | None:
    """Return what a server says of our certificate; with TLS 1.3 it says so only after the handshake."""
    if not is_wish_for_certificate(error):
        return None
    return ConnectFailed(
        ConnectCause.TLS,
        "The server asks for a certificate of the router's, or refuses the one that it was shown.",
        wants_certificate=True,
    )
