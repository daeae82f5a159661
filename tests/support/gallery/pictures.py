"""Pictures of every page. A test in form, because it needs what tests of pages have; only the command runs it."""

import os
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
