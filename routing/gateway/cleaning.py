"""Servers' error texts made fit for clients: the sentence found in whatever shape, nothing of the house in it."""

import re
from typing import Any

import msgspec

MAX_MESSAGE = 2000
_HIDDEN = "…"
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>)\]}]+", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b|\[[0-9a-f:]*:[0-9a-f:.]*\](?::\d{1,5})?", re.I
)
# At least two segments from the root, so that fractions and routes like /completions stay readable.
_PATH = re.compile(r"(?<![\w./:])/(?!v1/)[\w.+@~-]+(?:/[\w.+@~-]+)+")
_INNER = re.compile(r"\{.*\}", re.DOTALL)
_LITELLM = re.compile(r"^(?:litellm\.\w+: )?(?:\w+: )?\w*Exception - ")
_MAX_DEPTH = 4


class ServerError(msgspec.Struct, frozen=True):
    """What a server said went wrong. `code` keeps only codes that are words, `status` those that are numbers."""

    message: str = ""
    param: str | None = None
    code: str | None = None
    status: int = 0


def read_error(body: bytes) -> ServerError:
    """Return the error in an answer's body, an empty one when there is none to be found."""
    try:
        return _find(msgspec.json.decode(body), 0)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ServerError()


def find_error(value: Any) -> ServerError:
    """Return the error in a decoded answer or event."""
    return _find(value, 0)


def clean(message: str, secrets: dict[str, str]) -> str:
    """Return a server's sentence without addresses and paths; each key of `secrets` becomes its value."""
    text = _PATH.sub(_HIDDEN, _ADDRESS.sub(_HIDDEN, _URL.sub(_HIDDEN, message)))
    for secret, name in secrets.items():
        if secret and secret != name:
            text = re.sub(
                rf"(?<![\w-]){re.escape(secret)}(?![\w-])", name or _HIDDEN, text, flags=re.I
            )
    return text[:MAX_MESSAGE].strip()


def _find(value: Any, depth: int) -> ServerError:
    """Look through OpenAI's, Anthropic's and FastAPI's shapes, and LiteLLM's text that holds another error."""
    if isinstance(value, str):
        return _from_text(value, depth)
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return ServerError()
    for name in ("error", "detail"):
        if inner := value.get(name):
            return _find(inner, depth + 1)
    found = _from_text(str(value.get("message") or ""), depth)
    code = value.get("code")
    return ServerError(
        message=found.message,
        param=found.param or _word(value.get("param")),
        code=found.code or _word(code),
        status=_status(code) or found.status,
    )


def _from_text(text: str, depth: int) -> ServerError:
    wrapped = _LITELLM.match(text)
    inner = _INNER.search(text) if wrapped else None
    if inner is not None and depth <= _MAX_DEPTH:
        try:
            return _find(msgspec.json.decode(inner[0]), depth + 1)
        except (msgspec.DecodeError, RecursionError):
            pass  # Not JSON after all: the sentence stands for itself.
    return ServerError(message=text[wrapped.end() :] if wrapped else text)


def _word(value: Any) -> str | None:
    return value[:64] if isinstance(value, str) and value and not value.isdigit() else None


def _status(code: Any) -> int:
    text = str(code)
    return int(text) if text.isdigit() and len(text) == 3 else 0
