"""What a request used, tokens, sound and images: what servers report, in any shape known, cleaned; and what we count.

Pure functions on bytes and decoded JSON. Not here: streams (`metering`), prices.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from routing.core.enums import Endpoint, UsageSource
from routing.core.sound import MOST_MS, SILENCE, Sound
from routing.core.sse import read_object

BYTES_PER_TOKEN = 3.6
"""French and English prose in UTF-8 with the tokenizers of today's open models; JSON around it included."""
LEAST_BYTES_PER_TOKEN = 2
"""Of code, figures and rarer languages: what hard budgets reserve by."""
PICTURE_TOKENS = 16_384
"""The most that an engine makes of one picture unless its operator says otherwise (vLLM, Qwen-VL)."""
FILE_TOKENS = 32_768
"""Of a recording, film or document in a message: twenty minutes of sound, or as many pages."""

MAX_BELIEVED = 100_000_000
"""Tokens. A count beyond is a fault of the server and reads as absent; the record's columns hold 31 bits."""

WRITING = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES})
READING = frozenset({Endpoint.EMBEDDINGS, Endpoint.RERANK})
LISTENING = frozenset({Endpoint.TRANSCRIPTIONS, Endpoint.TRANSLATIONS})
DRAWING = frozenset({Endpoint.IMAGES, Endpoint.IMAGE_EDITS, Endpoint.IMAGE_VARIATIONS})

_TEXT_FIELDS = frozenset({"content", "text", "reasoning", "reasoning_content", "arguments"})
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,30})?", re.ASCII)
_DRAWN = b'"b64_json"'
_ENCODED_FILE = re.compile(rb";base64,[A-Za-z0-9+/=\\]+")
_PICTURES = frozenset({"image", "image_url", "input_image"})
_FILES = frozenset(
    {"audio", "audio_url", "document", "file", "input_audio", "input_file", "video", "video_url"}
)
_UNTYPED = frozenset({"audio_url", "image_url", "input_audio", "video_url"})
_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "prompt": (("prompt_tokens",), ("input_tokens",)),
    "completion": (("completion_tokens",), ("output_tokens",)),
    "cached": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("cache_read_input_tokens",),
    ),
    "reasoning": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    ),
}
_BESIDE_INPUT = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Anthropic's `input_tokens` leaves these out, so that a prompt is the sum of the three."""


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Of one request: tokens, `cached` a part of `prompt` and `reasoning` of `completion`; sound heard, images made."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    audio_ms: int = 0
    images: int = 0
    source: UsageSource = UsageSource.NONE


class Asked(NamedTuple):
    """What is known of a request before it is answered: an estimate of its tokens, its sound, how many answers."""

    prompt_estimate: int = 0
    sound: Sound = SILENCE
    answers: int = 1


NOTHING_ASKED = Asked()


class _Answer(msgspec.Struct):
    usage: Any = None
    duration: Any = None


class _Drawn(msgspec.Struct):
    data: list[msgspec.Raw]


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_drawn = msgspec.json.Decoder(_Drawn).decode


def usage_of_answer(endpoint: str, body: bytes, asked: Asked = NOTHING_ASKED) -> Usage:
    """Return what a whole answer used: as it reports, else as was counted, else estimated from what was asked.

    Never raises. An endpoint of which we can count and estimate nothing (tokenize) reads as `none`.
    """
    counted, reported = counted_in(endpoint, body, asked), _reported_in(endpoint, body, asked.sound)
    if reported:
        return usage_from(
            {"prompt": asked.prompt_estimate} | counted | reported, UsageSource.SERVER
        )
    if counted:
        return usage_from(counted, UsageSource.COUNTED)
    return _estimated(endpoint, body, asked.prompt_estimate)


def counted_in(endpoint: str, body: bytes, asked: Asked) -> dict[str, int]:
    """Return what needs no server's word: the sound that was sent, and images, at most as many as were asked for."""
    if endpoint in LISTENING and asked.sound.ms:
        return {"audio_ms": asked.sound.ms}
    if endpoint in DRAWING:
        try:
            drawn = len(_decode_drawn(body).data)
        except (ValueError, RecursionError):
            drawn = 0
        return {"images": min(drawn, asked.answers)} if drawn else {}
    return {}


def _reported_in(endpoint: str, body: bytes, sound: Sound) -> dict[str, int]:
    """Return what an answer says that it used; of a sound at most what its file can hold."""
    try:
        answer = _decode_answer(body)
    except (ValueError, RecursionError):
        return {}
    counts = reported_counts(answer.usage)
    if endpoint in LISTENING and "audio_ms" not in counts:
        counts |= _told_seconds(answer.duration)
    return believed(counts, sound)


def believed(counts: dict[str, int], sound: Sound) -> dict[str, int]:
    """Return reported counts, with no more sound than was sent."""
    told = counts.pop("audio_ms", None)
    return counts | {"audio_ms": min(told, sound.most_ms)} if told and sound.most_ms else counts


class DrawnCounter:
    """Counts the images in an answer that is too long to be held: they stand in it, and each has a name."""

    def __init__(self) -> None:
        self.count = 0
        self._cut = b""

    def feed(self, data: bytes) -> None:
        data = self._cut + data
        self.count += data.count(_DRAWN)
        self._cut = data[1 - len(_DRAWN) :]


def with_images(usage: Usage, images: int) -> Usage:
    """Return a usage with the images that were counted beside it."""
    if not images:
        return usage
    source = UsageSource.COUNTED if usage.source is UsageSource.NONE else usage.source
    return msgspec.structs.replace(usage, images=images, source=source)


def usage_sent(endpoint: str, asked: Asked) -> Usage:
    """Return what a request has used at least that was sent to a server which said nothing of it."""
    if endpoint in WRITING | READING | {Endpoint.SPEECH}:
        return Usage(prompt=asked.prompt_estimate, source=UsageSource.ESTIMATED)
    if endpoint in LISTENING and asked.sound.ms:
        return Usage(audio_ms=asked.sound.ms, source=UsageSource.COUNTED)
    return Usage()


def _estimated(endpoint: str, body: bytes, prompt_estimate: int) -> Usage:
    counts = {}
    if endpoint in WRITING:
        counts = {
            "prompt": prompt_estimate,
            "completion": tokens_in(_text_bytes(read_object(body))),
        }
    elif endpoint in READING or endpoint == Endpoint.SPEECH:
        counts = {"prompt": prompt_estimate}
    return usage_from(counts, UsageSource.ESTIMATED) if counts else Usage()


def estimate_prompt_tokens(body: bytes) -> int:
    """Return about how many tokens a JSON request body asks a model to read. Files inside count nothing.

    What they are hardly more than says `most_prompt_tokens`. For a form (speech) the caller says 0: bytes of sound
    tell nothing of tokens.
    """
    size = len(body)
    if b";base64," in body:
        size -= sum(len(file) for file in _ENCODED_FILE.findall(body))
    return tokens_in(size)


def most_prompt_tokens(size: int, read: Sequence[object]) -> int:
    """Return how many tokens a JSON body of `size` bytes is hardly more than; `read` is what a model reads of it.

    Pictures and files count so many each, however many bytes they are.
    """
    tokens, found = 0, list(read)
    while found:
        value = found.pop()
        if isinstance(value, dict):
            kind = _kind(value)
            if kind is None:
                found += value.values()
                continue
            tokens += PICTURE_TOKENS if kind in _PICTURES else FILE_TOKENS
            size -= _text_inside(value)
        elif isinstance(value, list):
            found += (inner for inner in value if isinstance(inner, list | dict))
    return tokens + -(-max(size, 0) // LEAST_BYTES_PER_TOKEN)


def _kind(part: dict[str, Any]) -> str | None:
    """Return as what a part of a message holds a file, None when it holds none. vLLM takes parts without a type."""
    told = part.get("type")
    names = _UNTYPED & part.keys() if told is None else {str(told)} & (_PICTURES | _FILES)
    return min(names, default=None)


def _text_inside(part: object) -> int:
    total, found = 0, [part]
    while found:
        value = found.pop()
        if isinstance(value, str):
            total += len(value)
        elif isinstance(value, list | dict):
            found += value.values() if isinstance(value, dict) else value
    return total


def tokens_in(size: int) -> int:
    """Return about how many tokens `size` bytes of text are."""
    return -int(-size // BYTES_PER_TOKEN)


def reported_counts(usage: object) -> dict[str, int]:
    """Return which of prompt, completion, cached, reasoning, audio_ms a `usage` reports; absurd ones are absent."""
    if not isinstance(usage, dict):
        return {}
    counts = {}
    for name, paths in _PATHS.items():
        found = [count for path in paths if (count := _dig(usage, path)) is not None]
        if found:
            counts[name] = found[0]
    if "input_tokens" in usage and "prompt" in counts:
        counts["prompt"] += sum(_count(usage.get(name)) or 0 for name in _BESIDE_INPUT)
    if "prompt" not in counts and (total := _count(usage.get("total_tokens"))) is not None:
        counts["prompt"] = max(0, total - counts.get("completion", 0))
    if usage.get("type") == "duration":
        counts |= _told_seconds(usage.get("seconds"))
    return counts


def usage_from(counts: dict[str, int], source: UsageSource) -> Usage:
    """Return `counts` as a usage whose parts do not exceed their wholes."""
    prompt, completion = counts.get("prompt", 0), counts.get("completion", 0)
    return Usage(
        prompt=prompt,
        cached=min(counts.get("cached", 0), prompt),
        completion=completion,
        reasoning=min(counts.get("reasoning", 0), completion),
        audio_ms=counts.get("audio_ms", 0),
        images=counts.get("images", 0),
        source=source,
    )


def _dig(usage: dict[str, Any], path: tuple[str, ...]) -> int | None:
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return _count(value)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_BELIEVED else None


def _told_seconds(value: object) -> dict[str, int]:
    """Return seconds as `audio_ms`; vLLM writes some of them as a text."""
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    return {"audio_ms": round(value * 1000)} if 0 <= value * 1000 <= MOST_MS else {}


def _text_bytes(answer: object) -> int:
    """Return the bytes of all text that a model wrote in `answer`, whatever the protocol."""
    total, found = 0, [answer]
    while found:
        value = found.pop()
        if isinstance(value, list):
            found += value
        elif isinstance(value, dict):
            for name, inner in value.items():
                if not isinstance(inner, str):
                    found.append(inner)
                elif name in _TEXT_FIELDS:
                    total += len(inner.encode(errors="replace"))
    return total
