"""Servers' error texts made fit for clients: the sentence found in whatever shape, nothing of the house in it."""

import re
from typing import Any

import msgspec

MAX_MESSAGE = 2000
_READ = 2 * MAX_MESSAGE
"""Characters of a server's sentence that are looked at: an error may come in an event of 8 MB."""
_HIDDEN = "…"
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>)\]}]+", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b|\[[0-9a-f]{0,4}:[0-9a-f:.]{1,40}\](?::\d{1,5})?",
    re.I,
)
# At least two segments from the root, so that fractions and routes like /completions stay readable.
_PATH = re.compile(r"(?<![\w./:])/(?!v1/)[\w.+@~-]+(?:/[\w.+@~-]+)+")
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
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        return ServerError()


def find_error(value: Any) -> ServerError:
    """Return the error in a decoded answer or event."""
    return _find(value, 0)


def clean(message: str, secrets: dict[str, str]) -> str:
    """Return a server's sentence without addresses and paths; each key of `secrets` becomes its value."""
    text = _beginning(message)
    for pattern in (_URL, _ADDRESS, _PATH):
        text = pattern.sub(_HIDDEN, text)
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
    wrapped = _LITELLM.match(text[:_READ])
    if wrapped is None:
        return ServerError(message=text)
    start, end = text.find("{", wrapped.end()), text.rfind("}") + 1
    if start < end and depth <= _MAX_DEPTH and start >= 0:
        try:
            return _find(msgspec.json.decode(text[start:end]), depth + 1)
        except (ValueError, RecursionError):
            pass  # Not JSON after all: the sentence stands for itself.
    return ServerError(message=text[wrapped.end() :])


def _beginning(message: str) -> str:
    """Return what is read of a message, without a last word that may be half an address."""
    if len(message) <= _READ:
        return message
    read = message[:_READ]
    return read.rpartition(" ")[0] or read


def _word(value: Any) -> str | None:
    return value[:64] if isinstance(value, str) and value and not value.isdigit() else None


def _status(code: Any) -> int:
    text = str(code)
    return int(text) if text.isdecimal() and len(text) == 3 else 0
