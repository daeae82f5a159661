"""The few signs of a published text, for pages and PDF alike: titles, lists, paragraphs, and names to fill in.

`# ` begins the title, `## ` a heading, `* ` an item of a list; other lines up to an empty one are a paragraph.
`$name` stands for a fact. Nothing else has a meaning, so a text can hold no link, no image and no script.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from string import Template
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.members.enums import TextKind

FACTS: Mapping[TextKind, frozenset[str]] = {
    TextKind.CHARTER: frozenset({"federation"}),
    TextKind.AGREEMENT: frozenset(
        {
            *("federation", "institution", "short_name", "siret", "uai", "role", "contributions"),
            *("governance_name", "governance_function"),
        }
    ),
}
"""The names that a text of each kind may use."""


class BlockKind(StrEnum):
    TITLE = "title"
    HEADING = "heading"
    ITEM = "item"
    PARAGRAPH = "paragraph"


class Block(NamedTuple):
    kind: BlockKind
    text: str


MARKS = {"# ": BlockKind.TITLE, "## ": BlockKind.HEADING, "* ": BlockKind.ITEM}


def check_text(kind: TextKind, text: str) -> None:
    """Raise `ValidationError` when a text has no title or names a fact that does not exist."""
    blocks = list(blocks_of(text))
    if not blocks or blocks[0].kind != BlockKind.TITLE:
        raise ValidationError(_("The first line is the title: “# ” and its words."), code="title")
    template = Template(text)
    if not template.is_valid():
        raise ValidationError(
            _("A “$” stands alone. Write “$$” for the sign itself."), code="stray_sign"
        )
    unknown = sorted(set(template.get_identifiers()) - FACTS[kind])
    if unknown:
        raise ValidationError(
            _("“$%(unknown)s” names nothing that can be filled in. Known: %(known)s."),
            code="unknown_fact",
            params={
                "unknown": unknown[0],
                "known": ", ".join(f"${name}" for name in sorted(FACTS[kind])),
            },
        )


def filled(text: str, facts: Mapping[str, str]) -> list[Block]:
    """Return the blocks of a text with its facts in place. They are filled in after the signs are read,
    so that no fact can make a heading of itself."""
    return [
        Block(block.kind, Template(block.text).safe_substitute(facts)) for block in blocks_of(text)
    ]


def blocks_of(text: str) -> Iterator[Block]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        mark = next((mark for mark in MARKS if line.startswith(mark)), None)
        if lines and (mark or not line.strip()):
            yield Block(BlockKind.PARAGRAPH, " ".join(lines))
            lines = []
        if mark:
            yield Block(MARKS[mark], line.removeprefix(mark).strip())
        elif line.strip():
            lines.append(line.strip())
