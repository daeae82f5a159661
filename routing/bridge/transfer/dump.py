"""Rows of a table from a dump: CSV with a header, or SQL of PostgreSQL (COPY, INSERT) or MySQL (INSERT).

Read row by row, however long the file. Values are texts or None: what they mean is the reader's to say.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from routing.bridge.transfer.reading import Refused

Value = str | None
_SQL = re.compile(
    r"\s*(--|/\*|\\|SET\b|BEGIN\b|COPY\b|INSERT\b|CREATE\b|DROP\b|LOCK\b|USE\b)", re.I
)
_NAME = r"[`\"]?(?:\w+[`\"]?\.[`\"]?)?{table}[`\"]?"
_STRING = r"E?'(?:[^'\\]|''|\\.)*'"
_PLAIN_STRING = r"'(?:[^']|'')*'"
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "0": "\0",
    "Z": "\x1a",
}
_LONGEST = 64_000_000
"""Characters of one INSERT; MySQL's own are at most 16 MB by default."""


@dataclass(frozen=True)
class Row:
    """A row's columns and where it stands."""

    values: Mapping[str, Value]
    where: str


def rows(path: Path, table: str) -> Iterator[Row]:
    """Yield the rows of `table`. Raises `Refused` when the file holds none such, or cannot be understood."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(4096)
            file.seek(0)
            if _SQL.match(start):
                yield from _Statements(file, path.name, table).rows()
            else:
                yield from _csv_rows(file, path.name, start)
    except OSError as fault:
        raise Refused([f"{path}: cannot be read: {fault.strerror}"]) from None
    except UnicodeDecodeError:
        raise Refused([f"{path.name}: is no text in UTF-8"]) from None


def _csv_rows(file: TextIO, name: str, start: str) -> Iterator[Row]:
    header = start.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        if not any(columns):
            raise Refused([f"{name}: is empty; the first line of a CSV file names its columns"])
        for values in reader:
            if values:
                yield _row(
                    columns, [_known(value) for value in values], f"{name} line {reader.line_num}"
                )
    except csv.Error as fault:
        raise Refused([f"{name} line {reader.line_num}: is no CSV: {fault}"]) from None


def _known(value: str) -> Value:
    """Return a CSV value; an empty one is null, as is PostgreSQL's mark for it."""
    return None if value in ("", r"\N", "NULL") else value


def _row(columns: Sequence[str], values: Sequence[Value], where: str) -> Row:
    if len(values) != len(columns):
        raise Refused([f"{where}: has {len(values)} values for {len(columns)} columns"])
    return Row(dict(zip(columns, values, strict=True)), where)


class _Statements:
    """The statements of an SQL dump that concern one table."""

    def __init__(self, file: TextIO, name: str, table: str) -> None:
        quoted = _NAME.format(table=re.escape(table))
        self._copy = re.compile(rf"\s*COPY\s+{quoted}\s*\(([^)]*)\)\s+FROM\s+stdin\b.*", re.I)
        self._start = re.compile(rf"\s*INSERT\s+INTO\s+{quoted}[\s(]", re.I)
        self._insert = re.compile(
            rf"\s*INSERT\s+INTO\s+{quoted}\s*(?:\(([^)]*)\))?\s*VALUES\b", re.I
        )
        self._create = re.compile(
            rf"\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{quoted}\s*\(", re.I
        )
        self._lines = enumerate(file, start=1)
        self._file, self._table = name, table
        self._declared: list[str] = []
        self._values = _values_pattern(_STRING)

    def rows(self) -> Iterator[Row]:
        seen = False
        for number, line in self._lines:
            if "standard_conforming_strings = on" in line:
                self._values = _values_pattern(_PLAIN_STRING)
            elif self._create.match(line):
                seen, self._declared = True, self._read_columns()
            elif copy := self._copy.match(line):
                seen = True
                yield from self._copied(_names(copy[1]))
            elif self._start.match(line):
                seen = True
                yield from self._inserted(self._whole(line, number), number)
        if not seen:
            raise Refused([f"{self._file}: holds no table {self._table}"])

    def _read_columns(self) -> list[str]:
        """Return the columns that CREATE TABLE names, one a line, as dumps write them."""
        found = []
        for _, line in self._lines:
            if line.lstrip().startswith(")"):
                break
            word = re.match(r"\s*([`\"]?)(\w+)\1\s", line)
            if word and (word[1] or word[2].upper() not in _NO_COLUMN):
                found.append(word[2])
        return found

    def _copied(self, columns: Sequence[str]) -> Iterator[Row]:
        for number, line in self._lines:
            text = line.rstrip("\r\n")
            if text == "\\.":
                return
            values = [None if each == r"\N" else _unescaped(each) for each in text.split("\t")]
            yield _row(columns, values, f"{self._file} line {number}")
        raise Refused([f"{self._file}: ends within the table {self._table}"])

    def _whole(self, line: str, number: int) -> str:
        """Return an INSERT with the lines that belong to it."""
        parts, size = [line], len(line)
        while not parts[-1].rstrip().endswith(";") or self._open_ended(parts):
            _, more = next(self._lines, (0, ""))
            size += len(more)
            if not more or size > _LONGEST:
                where = f"{self._file} line {number}"
                raise Refused([f"{where}: its values have no end, or are no plain ones"])
            parts.append(more)
        return "".join(parts)

    def _open_ended(self, parts: list[str]) -> bool:
        """Say whether the text so far ends within a value, which a line's last `;` may belong to."""
        text = "".join(parts)
        insert = self._insert.match(text)
        return insert is None or self._end_of_values(text, insert.end()) is None

    def _end_of_values(self, text: str, position: int) -> int | None:
        while tuple_ := self._values.tuple.match(text, position):
            position = tuple_.end()
        rest = text[position:].lstrip()
        return position if rest.startswith((";", "ON ")) else None

    def _inserted(self, text: str, number: int) -> Iterator[Row]:
        insert = self._insert.match(text)
        assert insert is not None  # `_whole` has found its end
        columns = _names(insert[1]) if insert[1] else self._declared
        where = f"{self._file} line {number}"
        if not columns:
            raise Refused(
                [f"{where}: this INSERT names no columns, and no CREATE TABLE comes before"]
            )
        position, n = insert.end(), 0
        while tuple_ := self._values.tuple.match(text, position):
            n, position = n + 1, tuple_.end()
            values = [self._value(each) for each in self._values.value.findall(tuple_[1])]
            yield _row(columns, values, f"{where} row {n}")

    def _value(self, text: str) -> Value:
        if text.upper() == "NULL":
            return None
        if not text.endswith("'"):
            return text
        start = text.index("'") + 1
        inside = text[start:-1].replace("''", "'")
        plain = self._values.plain and not text.startswith(("E", "e"))
        return inside if plain else _unescaped(inside)


_NO_COLUMN = frozenset(
    {"PRIMARY", "KEY", "UNIQUE", "CONSTRAINT", "CHECK", "INDEX", "FOREIGN", "FULLTEXT"}
)


@dataclass(frozen=True)
class _Values:
    """How values are written: `plain` where a backslash in a string is nothing but one."""

    tuple: re.Pattern[str]
    value: re.Pattern[str]
    plain: bool


def _values_pattern(string: str) -> _Values:
    plain = string == _PLAIN_STRING
    if plain:
        string = rf"(?:E'(?:[^'\\]|''|\\.)*'|{_PLAIN_STRING})"
    cast = r"(?:::[\w\s.\"]+)?"
    value = rf"(?:{string}|[\w.+-]+)"
    one = rf"\s*{value}{cast}\s*"
    return _Values(
        tuple=re.compile(rf"\s*,?\s*\(({one}(?:,{one})*)\)", re.DOTALL),
        value=re.compile(rf"\s*({value}){cast}\s*(?:,|$)", re.DOTALL),
        plain=plain,
    )


def _names(text: str) -> list[str]:
    return [name.strip().strip('`"') for name in text.split(",")]


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)
