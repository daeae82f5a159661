"""One server's answer on its way to the client: looked at before anything is passed on, then as it comes.

Raises `Failed` while another server may still be asked, `ApiError` for the client's own mistake, and
`Interrupted` once a part of the answer is with the client. Not here: whose turn it is (`journey`).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from routing.core.metering import StreamMeter
from routing.core.retry import Failure
from routing.core.usage import (
    DRAWING,
    WRITING,
    Asked,
    DrawnCounter,
    Usage,
    usage_of_answer,
    with_images,
)
from routing.gateway.cleaning import find_error, read_error
from routing.gateway.errors import ApiError, Code
from routing.gateway.exchange import Budget, Exchange
from routing.gateway.impact import IMPACT, with_usage
from routing.gateway.renaming import Renaming
from routing.gateway.verdicts import (
    Failed,
    broken_off,
    expects_json,
    judge_error,
    judge_event,
)
from routing.upstream.client import Response
from routing.upstream.errors import UpstreamError

MAX_ERROR_BYTES = 64 * 1024
_TAIL = 8 * 1024  # bytes at the end of a long answer in which its usage is looked for
_PATIENCE_WHEN_DONE = 1.0
"""Seconds in which a server may end its answer, so that its connection can be used again."""
_ERROR_STARTS = (b"{", b'"')  # of an error that is an object, or LiteLLM's text; never null
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_anything = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Interrupted(Exception):
    """The answer broke off when the client had a part of it. `error` is what it hears as the last event."""

    def __init__(self, failure: Failure, error: ApiError) -> None:
        super().__init__(failure)
        self.failure = failure
        self.error = error


class Story(Protocol):
    """What the journey wants to know of the passage, before the client does."""

    def commits(self) -> None:
        """The first byte of the answer is about to be sent: no other server can be asked from here on."""

    def first_token(self) -> None:
        """A stream's first token has come; of whole answers nobody knows when theirs did."""

    def completes(self, http_status: int, usage: Usage) -> None:
        """The last bytes are about to be sent."""


class Passage:
    """One attempt's answer. `names` are the words that clients must not see, and what stands for them.

    An answer under a name that belongs to another of the federation's models (`is_other_model`) is none.
    """

    def __init__(
        self,
        exchange: Exchange,
        story: Story,
        renaming: Renaming,
        names: dict[str, str],
        is_other_model: Callable[[str], bool],
        *,
        endpoint: str,
        strip_usage: bool,
        asked: Asked,
        more: Callable[[Usage], Mapping[str, object]] | None,
    ) -> None:
        self._exchange = exchange
        self._story = story
        self.renaming = renaming
        self._names = names
        self._is_other_model = is_other_model
        self._endpoint = endpoint
        self._asked = asked
        self._more = more
        self.meter = StreamMeter(endpoint, strip_usage=strip_usage, asked=asked, more=more)
        self.committed = False

    async def carry(self, response: Response, held: Budget, max_held: int) -> None:
        """Pass the answer on to its end."""
        try:
            _refuse_what_is_no_answer(response)
            if response.status >= 300:
                raise judge_error(response.status, await _beginning(response), self._names)
            if _is_event_stream(response):
                await self._stream(response)
            else:
                await self._whole(response, held, max_held)
        except Failed as failed:
            failed.retry_after_ms = _retry_after_ms(response)
            raise
        except UpstreamError as error:
            if self.committed:
                raise Interrupted(error.failure, ApiError(Code.INTERRUPTED)) from None
            raise Failed(error.failure) from None

    async def _stream(self, response: Response) -> None:
        meter, exchange, rename = self.meter, self._exchange, self.renaming.apply
        out = await self._first_events(response)
        self._commit()
        await exchange.start_stream()
        token_seen = False
        while True:
            if not token_seen and meter.content_events:
                token_seen = True
                self._story.first_token()
            if meter.done and meter.error is None:
                self._story.completes(200, meter.usage)
            if out:
                await exchange.write(rename(out))
            self._refuse_error()
            if not (data := await self._read_on(response)):
                break
            out = meter.feed(data)
        rest = meter.finish()
        self._refuse_broken_end(response)
        self._story.completes(200, meter.usage)
        await exchange.finish(rename(rest))

    async def _read_on(self, response: Response) -> bytes:
        """Return what comes next, b"" at the end: behind the protocol's last event nobody waits for long."""
        if not self.meter.done:
            return await response.read()
        try:
            async with asyncio.timeout(_PATIENCE_WHEN_DONE):
                return await response.read()
        except (TimeoutError, UpstreamError):
            return b""

    def _refuse_broken_end(self, response: Response) -> None:
        """Raise `Interrupted` when what came last is an error, or the connection's end is all that ended it."""
        self._refuse_error()
        if response.until_close and not self.meter.done and self._endpoint in WRITING:
            raise Interrupted(Failure.LOST, ApiError(Code.INTERRUPTED))

    def _refuse_error(self) -> None:
        if self.meter.error is not None:
            error = broken_off(find_error(self.meter.error), self._names)
            raise Interrupted(Failure.SERVER_ERROR, error)

    async def _first_events(self, response: Response) -> bytes:
        """Return what may be passed on once the first event is known to be no error.

        An overloaded vLLM answers 200 and then says in its first event that it is full.
        """
        meter, out = self.meter, b""
        while not meter.has_first_event:
            data = await response.read()
            out = meter.feed(data) if data else meter.finish()
            if not (data or meter.has_first_event):
                raise Failed(Failure.BAD_ANSWER)
        if meter.error is not None:
            raise judge_event(find_error(meter.error), self._names)
        self.renaming.learn_from(out)
        self._refuse_other_model()
        return out

    async def _whole(self, response: Response, held: Budget, max_held: int) -> None:
        """Hold an answer until it is complete, so that it can be had elsewhere up to its last byte."""
        parts: list[bytes] = []
        size, is_long = 0, False
        try:
            while not is_long and (data := await response.read()):
                parts.append(data)
                is_long = size + len(data) > max_held or not held.take(len(data))
                size += 0 if is_long else len(data)
            if not is_long:
                await self._complete(response, b"".join(parts))
        finally:
            held.give_back(size)
        if is_long:
            await self._long(response, parts)

    async def _complete(self, response: Response, body: bytes) -> None:
        usage = self._check(response, body)
        self._refuse_unpromised()
        self._commit()
        if self._more is not None:
            body = self._told_more(body, usage)
        self._story.completes(response.status, usage)
        await self._exchange.answer(
            response.status, self.renaming.apply(body), _content_type(response)
        )

    def _told_more(self, body: bytes, usage: Usage) -> bytes:
        """Return a whole answer with what the client asked to hear of it; a header says the same."""
        assert self._more is not None
        found = self._more(usage)
        self._exchange.add_header(IMPACT, _encode(found))
        is_object = expects_json(self._endpoint) and body.lstrip()[:1] == b"{"
        return with_usage(body, found) if is_object else body

    async def _long(self, response: Response, parts: list[bytes]) -> None:
        """Pass on as it comes what is too long to be held."""
        out = b"".join(parts)
        parts.clear()
        self.renaming.learn_from(out[:_TAIL])
        self._refuse_other_model()
        self._refuse_unpromised()
        self._commit()
        await self._exchange.start(response.status, _content_type(response))
        tail, drawn = b"", DrawnCounter()
        while out:
            tail = (tail + out)[-_TAIL:]
            if self._endpoint in DRAWING:
                drawn.feed(out)
            await self._exchange.write(self.renaming.apply(out))
            out = await response.read()
        usage = with_images(self._usage_in(tail), min(drawn.count, self._asked.answers))
        self._story.completes(response.status, usage)
        await self._exchange.finish()

    def _usage_in(self, tail: bytes) -> Usage:
        """Return the usage from the end of a long answer, where servers write it."""
        start = tail.rfind(b'"usage"')
        object_there = b"{" + tail[start:] if start >= 0 else b""
        return usage_of_answer(self._endpoint, object_there, self._asked)

    def _check(self, response: Response, body: bytes) -> Usage:
        """Return the usage in a whole answer. Raises `Failed` when it is not what was asked for."""
        if not expects_json(self._endpoint):
            if not body or b"html" in (response.header(b"content-type") or b"").lower():
                raise Failed(Failure.BAD_ANSWER)
            return usage_of_answer(self._endpoint, body, self._asked)
        try:
            fields = _fields(body) if body.lstrip()[:1] != b"[" else _no_fields(body)
        except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
            raise Failed(Failure.BAD_ANSWER) from None
        if bytes(fields.get("error", b""))[:1] in _ERROR_STARTS:
            raise judge_event(read_error(body), self._names)
        if (model := fields.get("model")) is not None:
            self.renaming.learn(bytes(model))
            self._refuse_other_model()
        return usage_of_answer(self._endpoint, body, self._asked)

    def _refuse_other_model(self) -> None:
        if self._is_other_model(self.renaming.seen):
            raise Failed(Failure.BAD_ANSWER)

    def _refuse_unpromised(self) -> None:
        """Raise when the client, by signs of life, was promised the stream that it had asked for."""
        if self._exchange.started:
            raise ApiError(Code.SERVER_FAILED, "The server answered, but not with a stream")

    def _commit(self) -> None:
        self.committed = True
        self._story.commits()


def _no_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Return nothing for JSON that is a list, as some servers answer a rerank. Raises on what is no JSON."""
    _anything(body)
    return {}


def _refuse_what_is_no_answer(response: Response) -> None:
    """Raise `Failed` on a redirect, or on a body in another encoding than was asked for."""
    encoding = response.header(b"content-encoding")
    if 300 <= response.status < 400 or encoding not in (None, b"identity"):
        raise Failed(Failure.BAD_ANSWER)


def _is_event_stream(response: Response) -> bool:
    return (response.header(b"content-type") or b"").lower().startswith(b"text/event-stream")


def _content_type(response: Response) -> list[tuple[bytes, bytes]]:
    """Return the only header of a server's answer that concerns the client."""
    return [(b"content-type", response.header(b"content-type") or b"application/json")]


def _retry_after_ms(response: Response) -> int:
    """Return how long a server wants to be left alone, 0 when it does not say so in seconds."""
    text = response.header(b"retry-after") or b""
    return int(text) * 1000 if text.isdigit() and len(text) < 6 else 0


async def _beginning(response: Response) -> bytes:
    """Return an error's body; of a very long one, what there is room for."""
    body = b""
    while len(body) < MAX_ERROR_BYTES and (data := await response.read()):
        body += data
    return body
