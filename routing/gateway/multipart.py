"""Form bodies (speech, images): the `model` field found and replaced, sound measured, every other byte as it came.

Only what is needed of RFC 7578: where the parts begin, and the names in their heads.
"""

import re
from typing import Any, NamedTuple

from routing.core.sound import Sound, most_in, sound_in
from routing.gateway.errors import ApiError, Code
from routing.gateway.schemas import MODEL, OURS, answers_in

_BOUNDARY = re.compile(
    rb'multipart/form-data;.*?\bboundary=("[^"]{1,70}"|[^\s;,"]{1,70})', re.I | re.S
)
_NAME = re.compile(rb'\r\ncontent-disposition:\s*form-data\s*;[^\r\n]*?\bname="([^"\r\n]*)"', re.I)
_MAX_PARTS = 1000
_FILE, _NUMBER = "file", "n"
_READ = OURS | {_FILE, _NUMBER}


class Part(NamedTuple):
    """A field's value, by its place in the body."""

    start: int
    end: int


class FormBody:
    """A request body that is a form. Raises `ApiError` when it is none, or is ambiguous."""

    def __init__(self, data: bytes, content_type: bytes) -> None:
        boundary = _BOUNDARY.match(content_type.strip())
        if boundary is None:
            raise ApiError(Code.INVALID_FORM, "The form's content type names no boundary")
        self._data = data
        self._parts = _find_parts(data, b"--" + boundary[1].strip(b'"'))

    prompt_estimate = prompt_most = max_tokens = 0
    """Bytes of sound or pictures tell nothing of tokens."""
    prompts = 1
    prefix: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def answers(self) -> int:
        """Return how many images are asked for."""
        value = self.get(_NUMBER)
        is_number = isinstance(value, str) and value.isdecimal() and len(value) < 5
        return answers_in(int(value) if is_number else None)

    @property
    def sound(self) -> Sound:
        """Return what the file that is sent tells of its length."""
        part = self._parts.get(_FILE)
        if part is None:
            return Sound(0, most_in(self.size))
        return sound_in(memoryview(self._data)[part.start : part.end])

    def get(self, name: str) -> Any:
        """Return a field's value as JSON would have it: text, or a truth value; None when it is absent."""
        part = self._parts.get(name)
        if part is None:
            return None
        text = self._data[part.start : part.end].decode(errors="replace").strip()
        return {"true": True, "false": False}.get(text.lower(), text)

    def rewritten(self, model: str, *, ask_usage: bool, priority: int | None = None) -> bytes:
        """Return the body for a server that knows the model as `model`. Forms ask for nothing more."""
        part = self._parts[MODEL]
        return b"".join((self._data[: part.start], model.encode(), self._data[part.end :]))


def _find_parts(data: bytes, delimiter: bytes) -> dict[str, Part]:
    """Return the parts that are read. Raises `ApiError` on one that is there twice."""
    found: dict[str, Part] = {}
    position = _first_delimiter(data, delimiter)
    for _ in range(_MAX_PARTS):
        head = position + len(delimiter)
        if data.startswith(b"--", head):
            return found
        body, following = data.find(b"\r\n\r\n", head), data.find(b"\r\n" + delimiter, head)
        if not data.startswith(b"\r\n", head) or not head <= body < following:
            raise ApiError(Code.INVALID_FORM)
        name = _name(data[head : body + 2])
        if name in found:
            raise ApiError(Code.AMBIGUOUS_FIELD, "A field of the form is given twice")
        if name in _READ:
            found[name] = Part(body + 4, following)
        position = following + 2
    raise ApiError(Code.INVALID_FORM, "The form has too many parts")


def _first_delimiter(data: bytes, delimiter: bytes) -> int:
    if data.startswith(delimiter):
        return 0
    position = data.find(b"\r\n" + delimiter)
    if position < 0:
        raise ApiError(Code.INVALID_FORM)
    return position + 2


def _name(head: bytes) -> str:
    match = _NAME.search(head)
    if match is None:
        raise ApiError(Code.INVALID_FORM)
    name = match[1].decode(errors="replace")
    if name not in _READ and name.casefold() in _READ:
        raise ApiError(Code.AMBIGUOUS_FIELD, f"A field must be spelt `{name.casefold()}`")
    return name
