"""A stream on its way to the client: looked at event by event, counted, and relieved of what was not asked for.

Hot: runs on every chunk, so it looks for a few byte strings and parses only the few events that hold one.
Not here: whole answers and the shapes of usage (`usage`), what an error means (`gateway.verdicts`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from routing.core.enums import Endpoint, UsageSource
from routing.core.sse import (
    DONE,
    EVENT_ENDS,
    data_of,
    last_event_end,
    read_object,
    split_events,
    with_data,
)
from routing.core.usage import (
    DRAWING,
    NOTHING_ASKED,
    Asked,
    Usage,
    believed,
    reported_counts,
    usage_from,
)

MAX_HELD = 8 * 1024 * 1024
"""Bytes of one event. `response.completed` repeats the whole answer, so that an event can be long."""

_LONGEST_END = max(len(end) for end in EVENT_ENDS)
_TAIL = 64
"""Bytes from the end in which a stream's last event is looked for."""


class _Dialect(msgspec.Struct, frozen=True):
    """How an endpoint's streams are read."""

    content: re.Pattern[bytes]
    """Found once in each event that carries content."""
    end: bytes
    """Found in the last event."""
    is_json: bool = True


_DIALECTS: dict[str, _Dialect] = {
    Endpoint.CHAT: _Dialect(re.compile(rb'"delta":\s*\{"'), DONE),
    Endpoint.COMPLETIONS: _Dialect(re.compile(rb'"text":'), DONE),
    Endpoint.RESPONSES: _Dialect(
        re.compile(rb'"type":\s*"response\.[a-z_.]+\.delta"'), b"response.completed"
    ),
    Endpoint.MESSAGES: _Dialect(re.compile(rb'"type":\s*"content_block_delta"'), b"message_stop"),
}
_DRAWN = _Dialect(
    re.compile(rb'"type":\s*"image_(?:generation|edit)\.completed"'), DONE, is_json=False
)
_OTHER = _Dialect(re.compile(rb'"type":\s*"transcript\.text\.delta"'), DONE, is_json=False)
_DIALECTS |= dict.fromkeys(DRAWING, _DRAWN)
_RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed")


class StreamMeter:
    """Meters one server-sent-event answer. Feed it what the server sends, pass on what it returns.

    It returns whole events only, byte for byte, from the first that carries data on (comments before it are
    dropped). So a caller that sees an attempt fail before `has_first_event` has passed nothing on, and one that
    loses the server later may append an error event of its own. Never raises on anything a server sends.

    has_first_event  an event with data has come; what `feed` returned may be passed on if `error` is None
    error            the decoded event by which the server said that it failed; `{}` when the first is no JSON
                     object, be it `[DONE]`.
                     It and what follows are never returned: the caller says it in its own words.
    done             the protocol's last event has come (`[DONE]`, `message_stop`, `response.completed`…)
    content_events   events that carried text, reasoning or tool arguments: about one per token; or a whole image
    """

    __slots__ = (
        "_asked",
        "_dialect",
        "_find_content",
        "_held",
        "_is_known",
        "_more",
        "_reported",
        "_strip_usage",
        "content_events",
        "done",
        "error",
        "has_first_event",
    )

    def __init__(
        self,
        endpoint: str,
        *,
        strip_usage: bool,
        asked: Asked = NOTHING_ASKED,
        more: Callable[[Usage], Mapping[str, object]] | None = None,
    ) -> None:
        """`strip_usage`: drop the event that carries nothing but usage, because the client did not ask for it.

        `more` is what the client asked to be told beside the tokens, in each event that reports them all.
        """
        self._dialect = _DIALECTS.get(endpoint, _OTHER)
        self._find_content: Callable[[bytes], list[bytes]] = self._dialect.content.findall
        self._strip_usage = strip_usage
        self._asked = asked
        self._more = more
        self._is_known = self._dialect.is_json or endpoint == Endpoint.SPEECH or asked.sound.ms > 0
        self._reported: dict[str, int] = {}
        self._held = bytearray()
        self.has_first_event = False
        self.error: dict[str, Any] | None = None
        self.done = False
        self.content_events = 0

    def feed(self, data: bytes) -> bytes:
        """Return what may be passed on now: `data` itself in the usual case, b"" inside an event."""
        if self._held or not self.has_first_event or not data.endswith(EVENT_ENDS):
            return self._feed_cut(data)
        return self._meter(data)

    def finish(self) -> bytes:
        """Return what is left when the server has ended properly. After a break do not call it."""
        block = bytes(self._held)
        self._held.clear()
        return self._take(block)

    @property
    def usage(self) -> Usage:
        """Return what is used so far; right at any moment, also in the middle of a stream."""
        counted = self._counted()
        if "completion" in self._reported or "audio_ms" in self._reported:
            return usage_from(counted | self._reported, UsageSource.SERVER)
        has_begun = self.has_first_event and self.error is None and self._is_known
        if not has_begun and not self.content_events:
            return Usage()
        return usage_from(counted | self._reported, UsageSource.COUNTED)

    def _counted(self) -> dict[str, int]:
        asked = self._asked
        if self._dialect is _DRAWN:
            return {"images": min(self.content_events, asked.answers)}
        return {
            "prompt": asked.prompt_estimate,
            "completion": self.content_events,
            "audio_ms": asked.sound.ms,
        }

    def _feed_cut(self, data: bytes) -> bytes:
        """Return the whole events among what was held and `data`; hold the rest."""
        held = self._held
        looked_at = max(0, len(held) - _LONGEST_END)
        held += data
        end = last_event_end(held, looked_at)
        if not end and len(held) > MAX_HELD:
            end = len(held)  # No event is that long: pass it on rather than hold it.
        block = bytes(held[:end])
        del held[:end]
        return self._take(block)

    def _take(self, block: bytes) -> bytes:
        if block and not self.has_first_event:
            block = self._judge_first(block)
        return self._meter(block) if block else block

    def _judge_first(self, block: bytes) -> bytes:
        """Return `block` from its first event with data on, b"" when there is none."""
        events = split_events(block)
        for index, event in enumerate(events):
            data = data_of(event)
            if data is None:
                continue
            self.has_first_event = True
            value = read_object(data)
            if value is None and self._dialect.is_json:
                self.error = {}
            elif value is not None and _is_bare(value, "role") and self._find_content(event):
                self.content_events -= 1  # The role alone, which is no token.
            return b"".join(events[index:])
        if len(block) > MAX_HELD:
            self.has_first_event, self.error = True, {}
        return b""

    def _meter(self, block: bytes) -> bytes:
        """Count whole events and return those to pass on."""
        if self.error is not None:
            return b""
        if b'"usage"' in block or b'"error"' in block:
            block = self._examine(block)
        self.content_events += len(self._find_content(block))
        if block.find(self._dialect.end, -_TAIL) >= 0:
            self.done = True
        return block

    def _examine(self, block: bytes) -> bytes:
        """Read the events that report usage or an error; return those to pass on."""
        kept = []
        for event in split_events(block):
            value = None
            if b'"usage"' in event or b'"error"' in event:
                value = read_object(data_of(event) or b"")
            if value is not None:
                reports = self._note(value)
                if _is_error(value):
                    self.error = value
                    break
                if reports and self._strip_usage and _is_bare(value):
                    continue
                if reports and self._more and "completion" in self._reported:
                    event = self._with_more(event, value)
            kept.append(event)
        return b"".join(kept)

    def _with_more(self, event: bytes, value: dict[str, Any]) -> bytes:
        """Return an event that reports usage with what the client asked for beside it."""
        usage = _usage_in(value)
        assert self._more is not None
        if not isinstance(usage, dict):
            return event
        usage.update(self._more(self.usage))
        return with_data(event, value)

    def _note(self, value: dict[str, Any]) -> bool:
        """Note what an event reports; return whether it is usage."""
        kind = value.get("type")
        counts = believed(reported_counts(_usage_in(value)), self._asked.sound)
        if kind == "message_start":
            counts.pop("completion", None)  # Anthropic's first guess, before a token is written.
        self._reported |= counts
        if kind in _RESPONSE_ENDS:
            self.done = True
        return bool(counts)


def _usage_in(value: dict[str, Any]) -> object:
    for holder in (value, value.get("message"), value.get("response")):
        if isinstance(holder, dict) and (usage := holder.get("usage")):
            return usage
    return None


def _is_error(value: dict[str, Any]) -> bool:
    return bool(value.get("error")) or value.get("type") in ("error", "response.failed")


def _is_bare(value: dict[str, Any], *passed_over: str) -> bool:
    """Say whether an OpenAI chunk has no choice with text, tools, a role or a reason to finish in it."""
    choices = value.get("choices")
    if not isinstance(choices, list):
        return False
    return not any(_carries(choice, passed_over) for choice in choices)


def _carries(choice: object, passed_over: tuple[str, ...]) -> bool:
    if not isinstance(choice, dict):
        return True
    delta = choice.get("delta")
    fields = delta.items() if isinstance(delta, dict) else ()
    inside = (value for name, value in fields if name not in passed_over)
    return any((*inside, choice.get("text"), choice.get("finish_reason")))
