"""`python -m tests.support.gallery FOLDER`: a picture of every page, for people to look at one by one.

In French and in English, in light and in dark, 1440 and 390 pixels wide. It is a test in form, because it needs what
tests of pages have; nothing but the command above runs it.
"""

import os
import sys
from itertools import groupby
from pathlib import Path

import pytest

from tests.support.browser import (
    PHONE,
    WIDE,
    Visit,
    browser,
    change_colours,
    complaints,
    portal,
    portal_process,
    visit,
)
from tests.support.pages_shown import Album, Shown

__all__ = ["browser", "complaints", "portal", "portal_process", "visit"]
FOLDER = "GALLERY"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_is_taken(visit: Visit, portal: object, language: str) -> None:
    folder, album = Path(os.environ[FOLDER]), Album()
    folder.mkdir(parents=True, exist_ok=True)
    for who, pages in groupby(album.pages(), key=lambda page: page.who):
        page = visit("/", as_=album.readers[who], language=language)
        for number, shown in enumerate(pages):
            page.goto(shown.address)
            for size in (WIDE, PHONE):
                page.set_viewport_size(size)
                for theme in ("light", "dark"):
                    change_colours(page, theme)
                    name = f"{file_name(shown, number)}-{language}-{theme}-{size['width']}.png"
                    page.screenshot(path=folder / name, full_page=True)


def file_name(shown: Shown, number: int) -> str:
    return f"{shown.who}-{number:02}-{shown.route}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.support.gallery FOLDER\n")
        return 2
    os.environ[FOLDER] = str(Path(arguments[0]).absolute())
    return pytest.main([__file__, "-q"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
