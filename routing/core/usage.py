"""How many tokens a request used: what servers report, in any shape known, cleaned; and estimates without it.

Pure functions on bytes and decoded JSON. Not here: streams (`metering`), prices.
"""

import re
from typing import Any

import msgspec

from routing.core.enums import Endpoint, UsageSource
from routing.core.sse import read_object

BYTES_PER_TOKEN = 3.6
"""French and English prose in UTF-8 with the tokenizers of today's open models; JSON around it included."""

MAX_BELIEVED = 100_000_000
"""Tokens. A count beyond is a fault of the server and reads as absent; the record's columns hold 31 bits."""

WRITING = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES})
READING = frozenset({Endpoint.EMBEDDINGS, Endpoint.RERANK})

_TEXT_FIELDS = frozenset({"content", "text", "reasoning", "reasoning_content", "arguments"})
_ENCODED_FILE = re.compile(rb";base64,[A-Za-z0-9+/=\\]+")
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
    """Tokens of one request. `cached` is a part of `prompt`, `reasoning` a part of `completion`."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    source: UsageSource = UsageSource.NONE


class _Answer(msgspec.Struct):
    usage: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def usage_of_answer(endpoint: str, body: bytes, prompt_estimate: int = 0) -> Usage:
    """Return what a whole JSON answer used: as it reports, else estimated from `prompt_estimate` and its text.

    Never raises. An endpoint without tokens that we could estimate (speech, tokenize) reads as `none`.
    """
    try:
        counts = reported_counts(_decode_answer(body).usage)
    except (ValueError, RecursionError):
        counts = {}
    if counts:
        return usage_from({"prompt": prompt_estimate} | counts, UsageSource.SERVER)
    if endpoint in WRITING:
        counts = {
            "prompt": prompt_estimate,
            "completion": tokens_in(_text_bytes(read_object(body))),
        }
    elif endpoint in READING:
        counts = {"prompt": prompt_estimate}
    return usage_from(counts, UsageSource.ESTIMATED) if counts else Usage()


def estimate_prompt_tokens(body: bytes) -> int:
    """Return about how many tokens a JSON request body asks a model to read. Files inside count nothing.

    For a form (speech) the caller says 0: bytes of sound tell nothing of tokens.
    """
    size = len(body)
    if b";base64," in body:
        size -= sum(len(file) for file in _ENCODED_FILE.findall(body))
    return tokens_in(size)


def tokens_in(size: int) -> int:
    """Return about how many tokens `size` bytes of text are."""
    return -int(-size // BYTES_PER_TOKEN)


def reported_counts(usage: object) -> dict[str, int]:
    """Return which of prompt, completion, cached, reasoning a `usage` object reports; absurd ones are absent."""
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
    return counts


def usage_from(counts: dict[str, int], source: UsageSource) -> Usage:
    """Return `counts` as a usage whose parts do not exceed their wholes."""
    prompt, completion = counts.get("prompt", 0), counts.get("completion", 0)
    return Usage(
        prompt=prompt,
        cached=min(counts.get("cached", 0), prompt),
        completion=completion,
        reasoning=min(counts.get("reasoning", 0), completion),
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
