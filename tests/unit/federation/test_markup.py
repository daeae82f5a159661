"""Published texts: their few signs, their facts, and what is refused."""

import pytest
from django.core.exceptions import ValidationError

from federation.members.enums import TextKind
from federation.members.markup import FACTS, BlockKind, blocks_of, check_text, filled
from federation.members.texts import first_text


def test_lines_become_blocks() -> None:
    blocks = list(blocks_of("# Title\n\n## One\nwords\nmore words\n* first\n* second\n"))

    assert [(block.kind, block.text) for block in blocks] == [
        (BlockKind.TITLE, "Title"),
        (BlockKind.HEADING, "One"),
        (BlockKind.PARAGRAPH, "words more words"),
        (BlockKind.ITEM, "first"),
        (BlockKind.ITEM, "second"),
    ]


def test_a_fact_cannot_make_a_heading_of_itself() -> None:
    blocks = filled("# T\n\n$institution", {"institution": "x\n# Void $siret", "siret": "1"})

    assert [block.kind for block in blocks] == [BlockKind.TITLE, BlockKind.PARAGRAPH]
    assert blocks[1].text == "x\n# Void $siret"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "title"),
        ("words", "title"),
        ("# T\n\n5 $ only", "stray_sign"),
        ("# T\n\n$password", "unknown_fact"),
        ("# T\n\n${siret.x}", "stray_sign"),
    ],
)
def test_a_text_that_cannot_be_filled_in_is_refused(text: str, code: str) -> None:
    with pytest.raises(ValidationError) as told:
        check_text(TextKind.AGREEMENT, text)
    assert told.value.code == code


@pytest.mark.parametrize("kind", TextKind)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_texts_that_come_with_the_product_can_be_published(
    kind: TextKind, language: str
) -> None:
    text = first_text(kind, language)
    check_text(kind, text)

    shown = filled(text, dict.fromkeys(FACTS[kind], "VALUE"))

    assert not any("$" in block.text for block in shown)


def test_both_languages_say_as_much() -> None:
    for kind in TextKind:
        french, english = (
            [block.kind for block in blocks_of(first_text(kind, language))]
            for language in ("fr", "en")
        )
        assert french == english
