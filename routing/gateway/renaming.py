"""A model's public name in the place of the one under which its server knows it, in answers.

Only whole `"model": "…"` members are touched. In JSON a quote inside a text is escaped, so no text that a model
wrote can look like one.
"""

import re

import msgspec

MAX_NAME = 200  # characters that a usage record keeps
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')


class Renaming:
    """Does nothing until it has met a name that is not the public one."""

    def __init__(self, served: str, public: str) -> None:
        self._served = msgspec.json.encode(served)
        self._public = msgspec.json.encode(public)
        self._patterns: tuple[tuple[bytes, bytes], ...] = ()
        self.seen = ""
        """The name that the server gave, as far as it is kept."""

    def learn(self, name: bytes) -> None:
        """Take the name, in JSON, that an answer gives to its model."""
        self.seen = _text(name)[:MAX_NAME]
        if name != self._public:
            self._patterns = tuple(
                (b'"model":' + space + name, b'"model":' + space + self._public)
                for space in (b"", b" ")
            )

    def learn_from(self, beginning: bytes) -> None:
        """Look for the name in the beginning of an answer; the one that was asked for goes first."""
        names = _MODEL.findall(beginning)
        if names:
            self.learn(self._served if self._served in names else names[0])

    def apply(self, data: bytes) -> bytes:
        """Return `data`, a whole answer or whole events of one, with the public name."""
        for served, public in self._patterns:
            data = data.replace(served, public)
        return data


def _text(raw: bytes) -> str:
    try:
        return str(msgspec.json.decode(raw))
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        return ""
