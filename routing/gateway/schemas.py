"""JSON request bodies: the few top-level fields that concern the router, read and changed in place.

Every other byte passes as the client wrote it. Not here: what the values mean (`admission`), forms (`multipart`).
"""

import re
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from routing.core.affinity import prefix_hashes
from routing.core.sound import Sound, most_in
from routing.core.usage import MAX_BELIEVED, estimate_prompt_tokens, most_prompt_tokens
from routing.gateway.errors import ApiError, Code

MODEL, STREAM, STREAM_OPTIONS = "model", "stream", "stream_options"
PRIORITY, ROUTING_MODE = "priority", "routing-mode"
OURS = frozenset({MODEL, STREAM, STREAM_OPTIONS, PRIORITY, ROUTING_MODE})
"""Fields that the router reads. Engines match names differently, some whatever the case: one spelling, once."""

REMOVED = frozenset({PRIORITY, ROUTING_MODE})
MAX_FIELDS = 1000
"""At the top of a body. Nobody needs more, and each takes time from all other requests."""

MOST_ANSWERS = 128
"""To one prompt: OpenAI's own bound."""

Edit = tuple[int, int, bytes]
"""(start, end, replacement)"""

_READ = ("messages", "input", "prompt")
_LONGEST = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_USAGE_ASKED = b'{"include_usage":true}'
_NEXT_KEY = re.compile(rb'\s*[{,]\s*("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)
_END = re.compile(rb"\s*}")
_decode_any = msgspec.json.Decoder().decode


Span = tuple[int, int, int]
"""Where a field stands in the body, in bytes: its key's first quote, its value, and the end of that."""


class _Key(str):
    """A key of its own type, so that the parser shows each one as it comes."""

    __slots__ = ()


class JsonBody:
    """A request body that is a JSON object. Raises `ApiError` when it is none, or is ambiguous."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        fields = _decode_fields(data)
        _refuse_look_alikes(fields)
        self._spans = _find_spans(data, fields)

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def prompt_estimate(self) -> int:
        """Return about how many tokens a model reads of it."""
        return estimate_prompt_tokens(self._data)

    @property
    def prompt_most(self) -> int:
        """Return how many tokens it is hardly more than, pictures and files included. Raises `ApiError`."""
        return most_prompt_tokens(self.size, [self.get(name) for name in _READ])

    @property
    def prompts(self) -> int:
        """Return how many prompts are completed, each with as many answers. Raises `ApiError`."""
        value = self.get("prompt")
        is_many = isinstance(value, list) and all(isinstance(each, str | list) for each in value)
        return max(len(value), 1) if is_many else 1

    @property
    def prefix(self) -> tuple[int, ...]:
        """Return hashes of the beginnings of what the model reads (`routing.core.affinity`)."""
        span = next((self._spans[name] for name in _READ if name in self._spans), None)
        return prefix_hashes(memoryview(self._data)[span[1] : span[2]]) if span else ()

    @property
    def max_tokens(self) -> int:
        """Return how long the answer may be at most, 0 when the client does not say, or nonsense."""
        for name in _LONGEST:
            value = self.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return min(value, MAX_BELIEVED)
        return 0

    @property
    def answers(self) -> int:
        """Return how many answers are asked for to the one prompt; 1 for nonsense, which no server takes."""
        return answers_in(self.get("n"))

    @property
    def sound(self) -> Sound:
        """Return what is known of sound in it: how long it can be at most."""
        return Sound(0, most_in(self.size))

    def get(self, name: str) -> Any:
        """Return the value of a top-level field, None when it is absent or null. Raises `ApiError`."""
        span = self._spans.get(name)
        if span is None:
            return None
        try:
            return _decode_any(self._data[span[1] : span[2]])
        except (ValueError, RecursionError):
            raise ApiError(
                Code.INVALID_FIELD, f"The value of `{name}` cannot be read", param=name
            ) from None

    def rewritten(self, model: str, *, ask_usage: bool, priority: int | None = None) -> bytes:
        """Return the body for a server that knows the model as `model`, without what is only ours.

        With `ask_usage` a stream is asked to report its usage, whatever the client wished. `priority` is told to
        the server, in its own order, in the place of the client's.
        """
        removed = REMOVED if priority is None else REMOVED - {PRIORITY}
        edits = self._removals(removed & self._spans.keys())
        _, value, end = self._spans[MODEL]
        edits.append((value, end, msgspec.json.encode(model)))
        if ask_usage:
            edits += self._usage_request()
        if priority is not None:
            edits.append(self._setting(PRIORITY, b"%d" % priority))
        return _apply(self._data, sorted(edits))

    def _removals(self, removed: Collection[str]) -> list[Edit]:
        """Return the edits that take out the fields named `removed`; `model` always stays.

        A field goes up to the next one's key. Behind the last that stays, all go, with the comma in front.
        """
        edits: list[Edit] = []
        if not removed:
            return edits
        last_kept = following = None
        for name, (key, _, end) in reversed(self._spans.items()):
            if name not in removed:
                last_kept = last_kept or end
            elif last_kept and following:
                edits.append((key, following, b""))
            following = key
        _, _, final = next(reversed(self._spans.values()))
        if last_kept and last_kept < final:
            edits.append((last_kept, final, b""))
        return edits

    def _usage_request(self) -> list[Edit]:
        if STREAM_OPTIONS not in self._spans:
            return [self._setting(STREAM_OPTIONS, _USAGE_ASKED)]
        options = self.get(STREAM_OPTIONS) or {}
        if options.get("include_usage") is True:
            return []
        value = msgspec.json.encode(options | {"include_usage": True})
        return [self._setting(STREAM_OPTIONS, value)]

    def _setting(self, name: str, value: bytes) -> Edit:
        """Return the edit that gives a field this value, behind all others when it is new."""
        if span := self._spans.get(name):
            return span[1], span[2], value
        end = self._data.rindex(b"}")
        return end, end, b',"%b":%b' % (name.encode(), value)


def answers_in(value: Any) -> int:
    """Return how many answers the value of `n` asks for."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return min(max(value, 1), MOST_ANSWERS) if is_number else 1


def _refuse_look_alikes(fields: dict[_Key, msgspec.Raw]) -> None:
    for name in fields:
        if name not in OURS and name.casefold() in OURS:
            raise ApiError(
                Code.AMBIGUOUS_FIELD, f"A field must be spelt `{name.casefold()}`, in this case"
            )


def _decode_fields(data: bytes) -> dict[_Key, msgspec.Raw]:
    try:
        if not data.isascii():
            data.decode()
        return msgspec.json.decode(data, type=dict[_Key, msgspec.Raw], dec_hook=_key_counter())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ApiError(Code.INVALID_JSON) from None


def _key_counter() -> Callable[[type, Any], _Key]:
    """Return what takes the keys one by one, and ends the parsing at the first that is too many."""
    room = iter(range(MAX_FIELDS))

    def take(_: type, name: str) -> _Key:
        if next(room, None) is None:
            raise ApiError(Code.INVALID_JSON, f"The JSON body has more than {MAX_FIELDS} fields")
        return _Key(name)

    return take


def _find_spans(data: bytes, fields: dict[_Key, msgspec.Raw]) -> dict[str, Span]:
    """Return where each field stands. Raises `ApiError` when a key occurs twice.

    Walks over the top level only, with the parsed values as strides. A value that is not where its key says,
    or text that is left at the end, means that the parser kept a later field of the same name.
    """
    spans: dict[str, Span] = {}
    position = 0
    for name, raw in fields.items():
        key = _NEXT_KEY.match(data, position)
        value = bytes(raw)
        if key is None or not data.startswith(value, start := key.end()):
            raise _twice()
        position = start + len(value)
        spans[name] = (key.start(1), start, position)
    if fields and not _END.match(data, position):
        raise _twice()
    return spans


def _twice() -> ApiError:
    return ApiError(Code.AMBIGUOUS_FIELD, "A field of the JSON body is given twice")


def _apply(data: bytes, edits: list[Edit]) -> bytes:
    """Return `data` with each (start, end, replacement) carried out; they are sorted and do not overlap."""
    parts: list[bytes] = []
    position = 0
    for start, end, replacement in edits:
        parts += (data[position:start], replacement)
        position = end
    return b"".join((*parts, data[position:]))
