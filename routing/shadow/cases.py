"""What is asked of both entry points: synthetic requests of our own, or those of a file. Never one that a user made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

CHAT = "/v1/chat/completions"
NO_SUCH_MODEL = "no-such-model"
QUESTION = [
    {"role": "user", "content": "Réponds par un seul mot : quelle est la capitale du pays ?"}
]
# The same answer twice, as far as the server allows.
STEADY = {"max_tokens": 8, "temperature": 0, "seed": 1}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_capital",
        "parameters": {"type": "object", "properties": {"country": {"type": "string"}}},
    },
}


class CaseError(Exception):
    """A file of requests that cannot be used; the text names the line."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `body` is JSON, or text that is sent as it is; None asks with GET."""

    name: str
    path: str = CHAT
    body: dict[str, Any] | str | None = None
    key: Literal["given", "none", "wrong"] = "given"

    @property
    def is_stream(self) -> bool:
        return isinstance(self.body, dict) and self.body.get("stream") is True


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a file that says more than a body."""

    body: dict[str, Any]
    path: str = CHAT
    name: str = ""


def built_in(model: str) -> Iterator[Case]:
    """Yield what clients do, and the mistakes that they make."""
    chat = {"model": model, "messages": QUESTION, **STEADY}
    with_usage = {**chat, "stream": True, "stream_options": {"include_usage": True}}
    yield Case(name="models", path="/v1/models")
    yield Case(name="one model", path=f"/v1/models/{model}")
    yield Case(name="chat", body=chat)
    yield Case(name="chat, streamed", body={**chat, "stream": True})
    yield Case(name="chat, streamed with usage", body=with_usage)
    yield Case(name="chat with a tool", body={**chat, "tools": [TOOL]})
    yield Case(name="chat, lowest class", body={**chat, "priority": 1})
    yield Case(
        name="completion", path="/v1/completions", body={"model": model, "prompt": "Un", **STEADY}
    )
    yield Case(name="no key", body=chat, key="none")
    yield Case(name="wrong key", body=chat, key="wrong")
    yield Case(name="unknown model", body={**chat, "model": NO_SUCH_MODEL})
    yield Case(name="unknown model, one", path=f"/v1/models/{NO_SUCH_MODEL}")
    yield Case(name="empty model", body={**chat, "model": ""})
    yield Case(name="no model", body={"messages": QUESTION})
    yield Case(name="no JSON", body='{"model": ')
    yield Case(name="messages of a wrong kind", body={**chat, "messages": "text"})
    yield Case(name="unknown routing mode", body={**chat, "routing-mode": "elsewhere"})
    yield Case(name="priority as text", body={**chat, "priority": "1"})


def read_cases(path: Path) -> list[Case]:
    """Return the requests of a file of JSON lines: each a body, or `{"body", "path", "name"}`. Raises `CaseError`."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"{path} cannot be read: {error}") from None
    cases = [_read_case(line, f"{path}:{n}", n) for n, line in enumerate(lines, 1) if line.strip()]
    if not cases:
        raise CaseError(f"{path} holds no request")
    return cases


def _read_case(text: str, place: str, number: int) -> Case:
    name = f"line {number}"
    try:
        body = msgspec.json.decode(text, type=dict[str, Any])
        if "body" not in body:
            return Case(name=name, body=body)
        line = msgspec.convert(body, _Line)
    except msgspec.MsgspecError as error:
        raise CaseError(f"{place}: {error}") from None
    if not line.path.startswith("/"):
        raise CaseError(f"{place}: path is {line.path!r}, and must begin with a slash")
    return Case(name=line.name or name, path=line.path, body=line.body)
