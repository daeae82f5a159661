"""Compiles the translations and finds those that are missing, on a machine without gettext's tools.

Reads `.po` files as `makemessages` writes them; writes `.mo` files as GNU gettext's manual says.
Collecting the texts (`make messages`) does need gettext.
"""

import ast
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from config.launch.console import LaunchError

MO_MAGIC = 0x950412DE
CONTEXT_END, PLURAL_END = "\x04", "\0"  # what gettext puts between a context, a text and its plural
KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr)(?:\[(\d+)\])? (".*")')


@dataclass
class Entry:
    """One text and its translations, one for each plural form."""

    line: int
    fuzzy: bool = False
    context: str | None = None
    text: str = ""
    plural: str | None = None
    translations: dict[int, str] = field(default_factory=dict)

    @property
    def is_header(self) -> bool:
        return self.text == "" and self.context is None

    @property
    def complete(self) -> bool:
        return self.is_header or (
            not self.fuzzy and bool(self.translations) and all(self.translations.values())
        )

    def key(self) -> str:
        prefix = "" if self.context is None else self.context + CONTEXT_END
        return prefix + (self.text if self.plural is None else self.text + PLURAL_END + self.plural)

    def value(self) -> str:
        return PLURAL_END.join(self.translations[number] for number in sorted(self.translations))


def catalogues(locale: Path) -> list[Path]:
    return sorted(locale.glob("*/LC_MESSAGES/*.po"))


def read_catalogue(path: Path) -> list[Entry]:
    """Parse a `.po` file; an entry with an empty text is its header. Obsolete ones are left out."""
    entries: list[Entry] = []
    blocks = re.split(r"\n[ \t]*\n", path.read_text(encoding="utf-8"))
    line = 1
    for block in blocks:
        entry = read_block(block.splitlines(), line, path)
        if entry is not None:
            entries.append(entry)
        line += block.count("\n") + 2
    return entries


def read_block(lines: list[str], first: int, path: Path) -> Entry | None:
    entry, keyword, number = Entry(first), "", 0
    for offset, line in enumerate(lines):
        if line.startswith("#,") and "fuzzy" in line:
            entry.fuzzy = True
        if line.startswith("#") or not line.strip():
            continue
        if match := KEYWORD.fullmatch(line.strip()):
            keyword, number, quoted = match[1], int(match[2] or 0), match[3]
        elif keyword and line.startswith('"'):
            quoted = line.strip()
        else:
            raise LaunchError(f"{path}:{first + offset} is no line of a translation file")
        add(entry, keyword, number, ast.literal_eval(quoted))
    return entry if keyword else None


def add(entry: Entry, keyword: str, number: int, text: str) -> None:
    match keyword:
        case "msgctxt":
            entry.context = (entry.context or "") + text
        case "msgid":
            entry.text += text
        case "msgid_plural":
            entry.plural = (entry.plural or "") + text
        case _:
            entry.translations[number] = entry.translations.get(number, "") + text


def compile_catalogue(path: Path) -> None:
    """Write the `.mo` file beside a `.po` file: a sorted table of texts, then translations."""
    pairs = {e.key().encode(): e.value().encode() for e in read_catalogue(path) if e.complete}
    keys = sorted(pairs)
    header_size, row_size = 7 * 4, 2 * 4
    position = header_size + 2 * row_size * len(keys)
    tables, data = b"", b""
    for text in (*keys, *(pairs[key] for key in keys)):
        tables += struct.pack("<II", len(text), position + len(data))
        data += text + b"\0"
    header = (MO_MAGIC, 0, len(keys), header_size, header_size + row_size * len(keys), 0, position)
    draft = path.with_suffix(".mo.new")
    draft.write_bytes(struct.pack("<7I", *header) + tables + data)
    draft.replace(path.with_suffix(".mo"))


def compile_changed(locale: Path) -> int:
    """Compile the catalogues that are newer than their compiled form; return how many."""
    changed = [path for path in catalogues(locale) if is_newer(path)]
    for path in changed:
        compile_catalogue(path)
    return len(changed)


def is_newer(path: Path) -> bool:
    compiled = path.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime_ns < path.stat().st_mtime_ns


def missing_translations(locale: Path) -> list[str]:
    """Name, as `file:line: text`, each text that has no translation or an uncertain one."""
    return [
        f"{path}:{entry.line}: {entry.text}"
        for path in catalogues(locale)
        for entry in read_catalogue(path)
        if not entry.complete
    ]
