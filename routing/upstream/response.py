"""An answer as its caller sees it: status, headers, and the bytes of the body as they come.

Not here: how the bytes are framed on the wire (`connection`).
"""

import asyncio
from typing import Protocol

from routing.upstream.errors import UpstreamError

AnswerHeaders = tuple[tuple[bytes, bytes], ...]


class Source(Protocol):
    """Where the bytes come from."""

    def resume(self) -> None:
        """The caller has taken what was there: more may come."""

    def abort(self) -> None:
        """Nobody wants the rest."""


class Response:
    """An answer whose head has come. Names of headers are in lower case, hop-by-hop ones left out.

    Read it to the end or `abort` it: until then it holds a connection. One task reads at a time.
    """

    __slots__ = (
        "_error",
        "_pending",
        "_source",
        "_waiter",
        "headers",
        "pending_bytes",
        "status",
        "until_close",
    )

    def __init__(self, source: Source) -> None:
        self.status = 0
        self.headers: AnswerHeaders = ()
        self.pending_bytes = 0
        """What has come and was not read yet."""
        self.until_close = False
        """Whether the body ends with the connection, so that a cut one looks whole."""
        self._pending: list[bytes] = []
        self._source: Source | None = source
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of this lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """Return all bytes that have come since the last call, at least one; b"" at the end. Raises `UpstreamError`.

        While the caller does not read, the server is held back (64 kB).
        """
        while not self._pending:
            if self._error is not None:
                raise self._error
            if self._source is None:
                return b""
            await self._wait()
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        self.pending_bytes = 0
        if self._source is not None:
            self._source.resume()
        return data

    def abort(self) -> None:
        """Close the connection at once and drop what was not read; after the end of the body it does nothing."""
        if self._source is not None:
            self._pending.clear()
            self.pending_bytes = 0
            self._source.abort()

    async def head(self) -> None:
        """Wait for status and headers. Raises `UpstreamError`."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    def start(self, status: int, headers: AnswerHeaders, *, until_close: bool) -> None:
        self.status, self.headers, self.until_close = status, headers, until_close

    def feed(self, data: bytes) -> None:
        """Keep a part of the body; `wake` tells the reader."""
        self._pending.append(data)
        self.pending_bytes += len(data)

    def end(self) -> None:
        """The body is whole; the connection is no longer this answer's."""
        self._source = None
        self.wake()

    def fail(self, error: UpstreamError) -> None:
        """No more will come; what has come can still be read."""
        self._error, self._source = error, None
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
