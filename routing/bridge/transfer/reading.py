"""Fields of foreign files, read one by one: what is wrong is gathered with its place, and refused as a whole.

A value is never repeated in a refusal: it may be a secret.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from federation.command import UNWRITABLE

MAX_BYTES = 10_000_000
"""Of a file that is read as a whole."""
_INDEX = re.compile(r"\[\d+\]")
Choice = TypeVar("Choice", bound=StrEnum)


class Refused(Exception):
    """Files that cannot be taken as they are; nothing was changed."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(" ".join(self.faults))


@dataclass
class Reading:
    """What was found while reading: faults that refuse the whole, notes that a person should see.

    `ignored` names fields to pass over, without the numbers of a list: `models[].pvc`.
    """

    ignored: Collection[str] = ()
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")

    def note(self, where: str, what: str) -> None:
        self.notes.append(f"{where}: {what}")

    def passes_over(self, where: str) -> bool:
        return _INDEX.sub("[]", where) in self.ignored

    def unknown(self, where: str) -> None:
        if not self.passes_over(where):
            way_out = f"--ignore '{_INDEX.sub('[]', where)}'"
            self.refuse(
                where, f"unknown; see whether it means anything, and pass it over: {way_out}"
            )

    def finish(self) -> None:
        """Raise `Refused` when there was any fault."""
        if self.faults:
            raise Refused(self.faults)


class Entries(dict[str, object]):
    """A mapping as a file has it; `twice` are the entries whose key was there before."""

    def __init__(self, pairs: Iterable[tuple[str, object]]) -> None:
        super().__init__()
        self.twice: list[tuple[str, object]] = []
        for key, value in pairs:
            if key in self:
                self.twice.append((key, value))
            else:
                self[key] = value

    def pairs(self) -> list[tuple[str, object]]:
        """Return every entry, repeated ones last."""
        return [*self.items(), *self.twice]


@dataclass(frozen=True)
class Field:
    """A value and its place. Each reader returns a usable value, whatever it finds, having noted what is wrong."""

    value: object
    where: str
    reading: Reading

    def refuse(self, what: str) -> None:
        self.reading.refuse(self.where or "the file", what)

    def at(self, name: str, value: object) -> "Field":
        return Field(value, f"{self.where}.{name}" if self.where else name, self.reading)

    def entries(self, known: Collection[str]) -> dict[str, "Field"]:
        """Return the entries of a mapping; none but those `known` may be there, and each once. Null is absent."""
        if not isinstance(self.value, Entries):
            self.refuse("must be a mapping")
            return {}
        for name, value in self.value.twice:
            self.at(name, value).refuse("given twice")
        found = {name: self.at(name, value) for name, value in self.value.items()}
        for name in found.keys() - set(known):
            self.reading.unknown(found[name].where)
        return {name: each for name, each in found.items() if each.value is not None}

    def items(self) -> list["Field"]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            self.refuse("must be a list")
            return []
        return [
            Field(value, f"{self.where}[{number}]", self.reading)
            for number, value in enumerate(self.value)
        ]

    def text(self, longest: int = 255) -> str:
        if not isinstance(self.value, str):
            self.refuse("must be a text; put it in quotes")
        elif not self.value.strip():
            self.refuse("is empty")
        elif len(self.value) > longest:
            self.refuse(f"is longer than {longest} characters")
        elif not UNWRITABLE.isdisjoint(map(unicodedata.category, self.value)):
            self.refuse("holds a character that is none to print")
        else:
            return self.value.strip()
        return ""

    def whole(self, low: int, high: int = 2**31 - 1) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.refuse("must be a whole number, without quotes")
        elif not low <= self.value <= high:
            self.refuse(f"must be at least {low}" if self.value < low else f"is above {high}")
        else:
            return self.value
        return low

    def choice(self, choices: type[Choice]) -> Choice:
        if isinstance(self.value, str) and self.value in list(choices):
            return choices(self.value)
        self.refuse(f"must be one of {', '.join(choices)}")
        return next(iter(choices))


def read_text(path: Path) -> str:
    """Return a file's text. Raises `Refused`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Refused([f"{path.name}: is larger than {MAX_BYTES} bytes"])
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise Refused([f"{path}: cannot be read: {fault.strerror}"]) from None
    except UnicodeDecodeError:
        raise Refused([f"{path.name}: is no text in UTF-8"]) from None
