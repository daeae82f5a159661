"""The catalogues follow the typography of their languages: spaces that break no line, true quotation marks."""

import re
from collections.abc import Iterator

import pytest

from config.launch.environment import ROOT
from config.launch.messages import read_catalogue

CODE = re.compile(r"<[^>]*>|https?://\S+|\bfc00::/7|%\(\w+\)s|compar:IA")
"""What is written as machines read it, and a name."""
WRONG = {
    "a narrow no-break space before ; ? and !": re.compile(r"[^\u202f][;?!]"),
    "a no-break space before a colon": re.compile(r"[^\u00a0]:"),
    "a no-break space inside quotation marks": re.compile(r"«[^\u00a0]|[^\u00a0]»"),
    "a no-break space before a per cent sign": re.compile(r"[^\u00a0%]%(?![%(\w])|[^\u00a0]%%"),
    "a typographic apostrophe": re.compile(r"\w'\w"),
}


def texts(language: str) -> Iterator[str]:
    """Yield what was put into words for `language`."""
    for entry in read_catalogue(ROOT / "locale" / language / "LC_MESSAGES" / "django.po"):
        yield from (entry.msgstr, *entry.msgstr_plural.values())


@pytest.mark.parametrize("rule", WRONG)
def test_french_texts_are_spaced_as_french_is(rule: str) -> None:
    wrong = [text for text in texts("fr") if WRONG[rule].search(CODE.sub("", text))]

    assert wrong == []


def test_a_text_with_plain_spaces_is_found() -> None:
    assert WRONG["a narrow no-break space before ; ? and !"].search("Est-elle connue ?")
    assert WRONG["a no-break space before a colon"].search("Nom : GPU-1")
    assert WRONG["a no-break space inside quotation marks"].search("« GPU-1 »")
    assert WRONG["a no-break space before a per cent sign"].search("38 %% au moins")


def test_allauths_english_is_said_in_the_portals_words() -> None:
    said = " ".join(CODE.sub("", text) for text in texts("en"))

    assert not re.search(r"\b[Ee]mail|[Ll]og (in|out)|security key|\w'\w", said)
