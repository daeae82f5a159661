"""How checks ask a server: the relay's own client, bounded in time and bytes, and what came back in plain words.

Not here: what an answer means for a check.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from routing.core.conformity import Figures, Finding, Verdict
from routing.core.sse import DONE, data_of, read_object, split_events
from routing.upstream.client import Client, Destination, Timeouts
from routing.upstream.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectionLost,
    EgressRefused,
    HeadTimeout,
    UpstreamError,
)

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of one answer."""
SECONDS = 30.0
"""For one request; checks that need more say so."""
CONNECT_SECONDS = 5.0
Body = dict[str, Any]


class Outcome(NamedTuple):
    """What a check found, before it is a line."""

    verdict: Verdict
    finding: Finding
    figures: Figures = {}


class Event(NamedTuple):
    """A server-sent event: seconds since the request, and its object."""

    at: float
    value: Body


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `status` 0 is none: `trouble` says why. `events` and `done` are a stream's."""

    status: int = 0
    trouble: Finding | None = None
    content_type: str = ""
    body: bytes = b""
    seconds: float = 0.0
    events: tuple[Event, ...] = ()
    done: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and self.trouble is None

    @property
    def value(self) -> Body:
        """The JSON object of the body, empty when it is none."""
        return read_object(self.body) or {}


class Asker:
    """One server, as the relay reaches it."""

    def __init__(self, client: Client, destination: Destination) -> None:
        self._client = client
        self.destination = destination

    def without_token(self) -> "Asker":
        return Asker(self._client, msgspec.structs.replace(self.destination, token=None))

    async def get(self, path: str, *, seconds: float = SECONDS) -> Answer:
        return await self._ask("GET", path, b"", {}, seconds)

    async def post(self, path: str, body: Body, *, seconds: float = SECONDS) -> Answer:
        sent = msgspec.json.encode(body)
        return await self._ask("POST", path, sent, {b"content-type": b"application/json"}, seconds)

    async def post_raw(self, path: str, body: bytes, content_type: str) -> Answer:
        return await self._ask(
            "POST", path, body, {b"content-type": content_type.encode()}, SECONDS
        )

    async def connect(self, path: str) -> None:
        """Ask, and let what goes wrong on the way be raised. Raises `UpstreamError`."""
        response = await self._client.request(
            self.destination, "GET", path, timeouts=_timeouts(CONNECT_SECONDS)
        )
        response.abort()

    async def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[bytes, bytes], seconds: float
    ) -> Answer:
        """Return the answer, or what went wrong: never raises on what a server or the network does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(method, path, body, headers, seconds)
        except (TimeoutError, HeadTimeout):
            return Answer(trouble=Finding.SILENT, seconds=loop.time() - began)
        except UpstreamError as error:
            return Answer(trouble=trouble_of(error), seconds=loop.time() - began)

    async def _answer(
        self, method: str, path: str, body: bytes, headers: Mapping[bytes, bytes], seconds: float
    ) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await self._client.request(
            self.destination, method, path, tuple(headers.items()), body, _timeouts(seconds)
        )
        content_type = (response.header(b"content-type") or b"").decode("latin-1").lower()
        reader = _Reader(streams=content_type.startswith("text/event-stream"))
        try:
            while data := await response.read():
                reader.take(data, loop.time() - began)
        except BaseException:
            response.abort()
            raise
        return Answer(
            status=response.status,
            content_type=content_type,
            body=bytes(reader.body),
            seconds=loop.time() - began,
            events=tuple(reader.events),
            done=reader.done,
        )


class _Reader:
    """Keeps what comes, and the time of each event."""

    def __init__(self, *, streams: bool) -> None:
        self.body = bytearray()
        self.events: list[Event] = []
        self.done = False
        self._streams = streams
        self._open = b""

    def take(self, data: bytes, at: float) -> None:
        """Raises `BodyTooLarge`."""
        self.body += data
        if len(self.body) > MAX_ANSWER:
            raise BodyTooLarge(MAX_ANSWER)
        if not self._streams:
            return
        *whole, last = split_events(self._open + data)
        if last.endswith((b"\n\n", b"\n\r\n")):
            whole, last = [*whole, last], b""
        self._open = last
        for event in whole:
            said = data_of(event)
            if said == DONE:
                self.done = True
            elif said and (value := read_object(said)) is not None:
                self.events.append(Event(at, value))


def trouble_of(error: UpstreamError) -> Finding:
    """Return the code for what happened on the way."""
    match error:
        case ConnectionLost():
            return Finding.CUT
        case HeadTimeout():
            return Finding.SILENT
        case EgressRefused():
            return Finding.ADDRESS_REFUSED
        case ConnectFailed():
            return Finding.NO_ANSWER
    return Finding.NO_HTTP


def complaint(answer: Answer) -> Outcome:
    """Return what is wrong with an answer that is no success, or no success after all."""
    if answer.trouble is not None:
        return failed(answer.trouble, seconds=round(answer.seconds, 1))
    status = answer.status
    match status:
        case 401 | 403:
            finding = Finding.DENIED
        case 404 | 405:
            finding = Finding.NO_ENDPOINT
        case 429 | 503:
            finding = Finding.BUSY
        case _ if 300 <= status < 400:
            finding = Finding.REDIRECTS
        case _ if status >= 500:
            finding = Finding.SERVER_ERROR
        case _ if status >= 400:
            finding = Finding.REFUSED_REQUEST
        case _:
            finding = Finding.NOT_AS_DOCUMENTED
    return failed(finding, status=status)


def ok(finding: Finding = Finding.FINE, **figures: float | str) -> Outcome:
    return Outcome(Verdict.OK, finding, figures)


def warning(finding: Finding, **figures: float | str) -> Outcome:
    return Outcome(Verdict.WARNING, finding, figures)


def failed(finding: Finding, **figures: float | str) -> Outcome:
    return Outcome(Verdict.FAILED, finding, figures)


def skipped(finding: Finding, **figures: float | str) -> Outcome:
    return Outcome(Verdict.SKIPPED, finding, figures)


def _timeouts(seconds: float) -> Timeouts:
    return Timeouts(connect=min(CONNECT_SECONDS, seconds), head=seconds, idle=seconds)
