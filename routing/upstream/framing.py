"""Where the head, the body and the end of an answer are: HTTP/1.x as httptools reads it, and what it leaves open.

One `Framing` reads one answer. Not here: the connection, time, and what is done with the body.
"""

import httptools

from routing.upstream.errors import BadResponse
from routing.upstream.response import AnswerHeaders, Response

MAX_HEAD_BYTES = 64 * 1024
"""Of a head with the interim ones before it, and of trailers or chunk extensions without a byte of body."""
MAX_HEADERS = 256

_VERSIONS = ("1.1", "1.0")
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)


class Framing:
    """`bodiless`: no body follows the head whatever it says (the request was a HEAD)."""

    __slots__ = (
        "_bodiless",
        "_headers",
        "_idle_bytes",
        "_parser",
        "_response",
        "ended",
        "keep_alive",
        "received",
        "until_close",
    )

    def __init__(self, response: Response, *, bodiless: bool) -> None:
        self.received = 0
        self.ended = False
        self.keep_alive = False
        """Once ended: whether the connection may serve another request."""
        self.until_close = False
        """Whether nothing but the end of the connection ends the body."""
        self._response = response
        self._bodiless = bodiless
        self._headers: list[tuple[bytes, bytes]] = []
        self._idle_bytes = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Read on. Raises `BadResponse`; what comes after the end only costs the connection."""
        assert self._parser is not None
        unread = self._response.pending_bytes
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.keep_alive = False
            if not self.ended:
                raise BadResponse("the answer is not HTTP/1.1, or beyond its limits") from None
        if self._response.pending_bytes > unread or self.ended:
            self._idle_bytes = 0
            return
        self._idle_bytes += len(data)
        if self._idle_bytes > MAX_HEAD_BYTES:
            raise BadResponse("the head of the answer is too large")

    def close(self) -> None:
        """Let the parser go, which knows its callbacks: they would keep each other alive."""
        self._parser = None

    # What the parser calls

    def on_message_begin(self) -> None:
        if self.ended:
            raise BadResponse("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response.status:
            return  # a trailer
        self._headers.append((name.lower(), value))
        if len(self._headers) > MAX_HEADERS:
            raise BadResponse("too many headers")

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._headers
        assert parser is not None
        status = parser.get_status_code()
        if status < 200:  # interim: the answer is yet to come
            headers.clear()
            return
        if parser.get_http_version() not in _VERSIONS:
            raise BadResponse("another version of HTTP")
        if self.received > MAX_HEAD_BYTES and _size(headers) > MAX_HEAD_BYTES:
            raise BadResponse("the head of the answer is too large")
        kept, self.until_close = _read_headers(headers)
        self._response.start(status, kept, until_close=self.until_close)
        if self._bodiless:
            self._end()

    def on_body(self, data: bytes) -> None:
        if self.ended:
            raise BadResponse("a body where none may be")
        self._response.feed(data)

    def on_message_complete(self) -> None:
        if self._response.status and not self.ended:
            self._end()

    def _end(self) -> None:
        assert self._parser is not None
        self.ended = True
        self.keep_alive = self._parser.should_keep_alive()


def _read_headers(headers: list[tuple[bytes, bytes]]) -> tuple[AnswerHeaders, bool]:
    """Return those that concern more than this connection, and whether none of all tells where the body ends.

    Raises `BadResponse` on a transfer-encoding that is not plain chunks.
    """
    kept, named, no_end = [], b"", True
    for pair in headers:
        name, value = pair
        if name not in _HOP_BY_HOP:
            kept.append(pair)
            no_end = no_end and name != b"content-length"
        elif name == b"connection":
            named += value.lower() + b","
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise BadResponse("an unknown transfer-encoding")
            no_end = False
    if named:
        dropped = {word.strip() for word in named.split(b",")} - _HOP_BY_HOP
        kept = [pair for pair in kept if pair[0] not in dropped]
    return tuple(kept), no_end


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)
