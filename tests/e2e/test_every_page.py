"""Every page in a real browser, for every reader: no violation that axe knows of, nothing to be scrolled sideways.

In French and in English, in light and in dark, at 1440 and at 390 pixels. Of the eight variants of a page two are
looked at that have nothing in common, other ones with the next page; all eight with EVERY_LOOK=1.
"""

import os
from collections.abc import Sequence
from itertools import groupby

import pytest

from federation.people.operations import make_first_admin_link
from tests.support.browser import EVERY_LOOK, PHONE, WIDE, Look, Portal, Visit, looked_at
from tests.support.factories import OPERATOR
from tests.support.pages_shown import Album, unknown_routes

LOOKS: Sequence[Look] = ((WIDE, "light"), (PHONE, "light"), (WIDE, "dark"), (PHONE, "dark"))


@pytest.fixture
def album(portal: Portal) -> Album:
    return Album()


def test_every_route_is_looked_at(album: Album) -> None:
    assert unknown_routes(album) == set()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_is_accessible_in_every_variant(
    visit: Visit, album: Album, language: str
) -> None:
    problems = []
    looks = LOOKS if language == "fr" else LOOKS[::-1]
    for who, pages in groupby(enumerate(album.pages()), key=lambda page: page[1].who):
        page = visit("/", as_=album.readers[who], language=language)
        for n, shown in pages:
            answer = page.goto(shown.address)
            assert answer
            if answer.status != 200 or not page.url.endswith(shown.address):
                problems.append(f"{shown}: HTTP {answer.status} at {page.url}")
            if page.locator("html").get_attribute("lang") != language:
                problems.append(f"{shown}: not in {language}")
            if "</" in page.locator("body").inner_text():
                problems.append(f"{shown}: shows markup")
            at = EVERY_LOOK if os.environ.get("EVERY_LOOK") else [looks[n % len(looks)]]
            problems += [f"{shown}: {problem}" for problem in looked_at(page, at)]
        page.context.close()

    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_first_administrator_s_page_is_accessible_in_every_variant(
    visit: Visit, portal: Portal, language: str
) -> None:
    page = visit(f"/people/first-admin/{make_first_admin_link(by=OPERATOR)}/", language=language)

    assert page.locator("[name=again]").is_visible()
    assert list(looked_at(page)) == []
