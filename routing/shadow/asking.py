"""One request to one entry point, and what can be told of the answer without keeping what it says.

A plain client, for an operator's tool: it goes where the operator points it, and not through the router's egress guard.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec

from routing.shadow.cases import Case

CONNECT_SECONDS = 10.0
DEEPEST = 40
LARGEST_BODY = 16 * 1024 * 1024
WRONG_KEY = "shadow-comparison-wrong-key"
PRESENT = ("x-request-id", "retry-after", "access-control-allow-origin", "content-encoding")
"""Headers of which only the presence is compared; so it is of all `x-ratelimit-*` together."""
TOLD = frozenset(
    {
        "object",
        "model",
        "id",
        "data[].id",
        "choices[].finish_reason",
        "usage.prompt_tokens",
        "usage.completion_tokens",
        "usage.total_tokens",
        "error.type",
        "error.code",
        "error.param",
    }
)
"""Fields whose values may be kept and shown: none of them holds a prompt or an answer."""
_ID = "id"

Shape = dict[str, set[str]]
"""By the path of a field, the JSON types that it had."""
_NAMES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
}


class Side(msgspec.Struct, frozen=True):
    """An entry point: its address without `/v1`, and the key for it."""

    url: str
    key: str


class Observation(msgspec.Struct, kw_only=True):
    """An answer by its outside. `status` 0: there was none, and `failure` says why."""

    status: int = 0
    failure: str = ""
    media_type: str = ""
    headers: set[str] = msgspec.field(default_factory=set)
    shape: Shape = msgspec.field(default_factory=dict)
    values: dict[str, set[str]] = msgspec.field(default_factory=dict)
    message: str = ""
    """The text of an error, the key taken out."""
    is_error: bool = False
    is_done: bool = False
    """Whether a stream ended with `[DONE]`."""
    first_ms: float | None = None
    """From the request to the first event of a stream."""
    total_ms: float = 0.0


def address(text: str) -> str:
    """Return an entry point's address without `/v1`, whichever way it was given."""
    return text.rstrip("/").removesuffix("/v1")


def make_client(seconds: float) -> httpx.Client:
    """Return a client that gives up after `seconds` of silence."""
    return httpx.Client(timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS))


def observe(client: httpx.Client, side: Side, case: Case) -> Observation:
    """Ask, and look at the answer."""
    began = time.monotonic()
    seen = Observation()
    try:
        with client.stream(
            "GET" if case.body is None else "POST",
            side.url + case.path,
            content=_content(case),
            headers=_headers(side, case),
        ) as answer:
            seen.status = answer.status_code
            seen.media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
            seen.headers = set(_present(answer.headers))
            if seen.media_type == "text/event-stream":
                _watch(answer, seen, began)
            else:
                _read(answer, seen)
    except httpx.HTTPError as error:
        seen.failure = f"{type(error).__name__} {error}".strip().replace(side.key, "…")
    seen.total_ms = (time.monotonic() - began) * 1000
    seen.is_error = seen.is_error or seen.status >= 400
    seen.message = seen.message.replace(side.key, "…") if side.key else seen.message
    return seen


def _content(case: Case) -> bytes | None:
    match case.body:
        case None:
            return None
        case str(text):
            return text.encode()
        case body:
            return msgspec.json.encode(body)


def _headers(side: Side, case: Case) -> dict[str, str]:
    headers = {"content-type": "application/json"} if case.body is not None else {}
    match case.key:
        case "given":
            headers["authorization"] = f"Bearer {side.key}"
        case "wrong":
            headers["authorization"] = f"Bearer {WRONG_KEY}"
    return headers


def _present(headers: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in PRESENT if name in headers)
    if any(name.startswith("x-ratelimit-") for name in headers):
        yield "x-ratelimit-*"


def _read(answer: httpx.Response, seen: Observation) -> None:
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > LARGEST_BODY:
            seen.shape = {"": {"more than can be looked at"}}
            return
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        seen.shape = {"": {"text"}}
        seen.message = body[:200].decode(errors="replace") if seen.status >= 400 else ""
    else:
        _note(value, seen)


def _watch(answer: httpx.Response, seen: Observation, began: float) -> None:
    """Look at a stream's events one by one; comments, which keep a connection alive, are none."""
    for line in answer.iter_lines():
        if not line.startswith("data:"):
            continue
        if seen.first_ms is None:
            seen.first_ms = (time.monotonic() - began) * 1000
        data = line[5:].strip()
        if data == "[DONE]":
            seen.is_done = True
            continue
        try:
            _note(msgspec.json.decode(data), seen)
        except (msgspec.DecodeError, RecursionError):
            seen.shape.setdefault("", set()).add("text")


def _note(value: Any, seen: Observation) -> None:
    for path, found in _walk(value, ""):
        seen.shape.setdefault(path, set()).add(_NAMES.get(type(found), "null"))
        if path in TOLD and path != _ID and isinstance(found, str | int):
            seen.values.setdefault(path, set()).add(str(found))
    if (message := error_message(value)) is not None:
        seen.is_error, seen.message = True, message


def _walk(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield every field with its path, down to a depth that no answer reaches."""
    yield path, value
    if depth == DEEPEST:
        return
    match value:
        case dict():
            for name, inner in value.items():
                yield from _walk(inner, f"{path}.{name}" if path else name, depth + 1)
        case list():
            for inner in value:
                yield from _walk(inner, f"{path}[]", depth + 1)


def error_message(value: Any) -> str | None:
    """Return an error's text in any of the shapes that are met; None when it is no error."""
    match value:
        case {"error": {"message": str(text)}} | {"error": str(text)}:
            return text
        case {"object": "error", "message": str(text)} | {"detail": str(text)}:
            return text
        case {"error": error} if error is not None:
            return ""
        case _:
            return None
