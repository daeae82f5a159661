"""Every verb that any act writes into the journal has a sentence in French and in English, and no other has one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation import override

from dashboards.journal.sentences import GROUPS, SENTENCES, sentence

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("billing", "config", "dashboards", "federation", "routing")
VERB = re.compile(
    r"(?:access|billing|catalogue|fleet|identity|journal|members|people|routing)\.[a-z_]+"
)


def sources() -> Iterator[ast.Module]:
    """Yield the modules that write into the journal."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text()
            if "federation.journal.operations import record" in text:
                yield ast.parse(text, str(path))


def verbs() -> set[str]:
    """Return every word of these modules that has the form of a verb: some are handed on to helpers."""
    return {
        node.value
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and VERB.fullmatch(node.value)
    }


def test_every_verb_has_a_sentence_and_no_sentence_is_left_over() -> None:
    found = verbs()

    assert len(found) > 60, "the modules that write into the journal are found"
    assert found == SENTENCES.keys()


def test_every_verb_that_is_written_out_is_among_them() -> None:
    """A verb of another form would escape the search above."""
    written = {
        keyword.value.value
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "verb" and isinstance(keyword.value, ast.Constant)
    }

    assert written <= verbs()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_sentence_names_the_actor_and_is_no_other_s(language: str) -> None:
    with override(language):
        told = {verb: sentence(verb, "Camille Roux") for verb in SENTENCES}

    assert all(text.startswith("Camille Roux ") for text in told.values())
    assert len(set(told.values())) == len(told)


def test_french_is_no_english() -> None:
    with override("en"):
        english = {verb: sentence(verb, "C") for verb in SENTENCES}
    with override("fr"):
        french = {verb: sentence(verb, "C") for verb in SENTENCES}

    assert not {verb for verb in SENTENCES if english[verb] == french[verb]}


def test_every_verb_belongs_to_a_group() -> None:
    assert {verb.partition(".")[0] for verb in SENTENCES} == GROUPS.keys()


def test_a_verb_of_a_later_version_is_shown_as_it_is() -> None:
    assert sentence("access.levitate", "Camille Roux") == "Camille Roux: access.levitate"
