"""Translations compile without gettext's tools, into what Python's gettext reads."""

import gettext
import os
from pathlib import Path

import pytest

from config.launch.console import LaunchError
from config.launch.messages import compile_catalogue, compile_changed, missing_translations

HEADER = """\
#, fuzzy
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"
"""
ENTRIES = """
#: federation/models.py
msgid "Institution"
msgstr "Établissement"

msgctxt "verb"
msgid "Open"
msgstr "Ouvrir"

msgid "Open"
msgstr "Ouvert"

#, python-format
msgid "%(n)s key"
msgid_plural "%(n)s keys"
msgstr[0] "%(n)s clé"
msgstr[1] "%(n)s clés"

msgid ""
"Two lines,\\n"
"\\"quoted\\""
msgstr ""
"Deux lignes,\\n"
"« citées »"

#~ msgid "Gone"
#~ msgstr "Parti"
"""
INCOMPLETE = """
msgid "Server"
msgstr ""

#, fuzzy
msgid "Model"
msgstr "Modèle ?"

msgid "key"
msgid_plural "keys"
msgstr[0] "clé"
msgstr[1] ""
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "fr" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True)
    path.write_text(HEADER + ENTRIES)
    return path


def compiled(path: Path) -> gettext.GNUTranslations:
    compile_catalogue(path)
    with path.with_suffix(".mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def test_every_form_of_entry_is_found_again(catalogue: Path) -> None:
    translations = compiled(catalogue)
    assert translations.gettext("Institution") == "Établissement"
    assert translations.gettext("Open") == "Ouvert"
    assert translations.pgettext("verb", "Open") == "Ouvrir"
    assert translations.ngettext("%(n)s key", "%(n)s keys", 1) == "%(n)s clé"
    assert translations.ngettext("%(n)s key", "%(n)s keys", 2) == "%(n)s clés"
    assert translations.gettext('Two lines,\n"quoted"') == "Deux lignes,\n« citées »"
    assert translations.gettext("Gone") == "Gone"


def test_an_uncertain_or_half_translation_is_not_shown(catalogue: Path) -> None:
    catalogue.write_text(HEADER + ENTRIES + INCOMPLETE)
    translations = compiled(catalogue)
    assert translations.gettext("Model") == "Model"
    assert translations.ngettext("key", "keys", 2) == "keys"


def test_a_text_that_is_there_twice_is_named(catalogue: Path) -> None:
    with catalogue.open("a", encoding="utf-8") as file:
        file.write('\nmsgid "Twice"\nmsgstr "Deux"\n' * 2)

    with pytest.raises(LaunchError, match="Twice"):
        compile_catalogue(catalogue)


def test_missing_translations_are_named_with_their_line(catalogue: Path, tmp_path: Path) -> None:
    assert missing_translations(tmp_path) == []
    catalogue.write_text(HEADER + INCOMPLETE)
    assert missing_translations(tmp_path) == [
        f"{catalogue}:7: Server",
        f"{catalogue}:10: Model",
        f"{catalogue}:14: key",
    ]


def test_only_catalogues_that_changed_are_compiled(catalogue: Path, tmp_path: Path) -> None:
    assert compile_changed(tmp_path) == 1
    assert compile_changed(tmp_path) == 0
    later = catalogue.with_suffix(".mo").stat().st_mtime + 1
    os.utime(catalogue, (later, later))
    assert compile_changed(tmp_path) == 1


def test_a_broken_catalogue_is_told_with_its_line(catalogue: Path) -> None:
    catalogue.write_text(HEADER + '\nmsgid "Server"\nmsgtsr "Serveur"\n')
    with pytest.raises(LaunchError, match=r"django\.po.*8"):
        compile_catalogue(catalogue)
