"""A day and a moment in words, in both languages: never a line break inside a day."""

from datetime import UTC, date, datetime

import pytest
from django.utils.translation import override

from federation.days import long_day, long_moment, short_day, short_moment

WINTER = datetime(2026, 11, 30, 4, 52, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "day", "text"),
    [
        ("fr", date(2026, 1, 1), "1er janvier 2026"),
        ("fr", date(2026, 1, 11), "11 janvier 2026"),
        ("en", date(2026, 1, 1), "1 January 2026"),
    ],
)
def test_french_says_the_first_of_a_month_as_an_ordinal(
    language: str, day: date, text: str
) -> None:
    with override(language):
        assert long_day(day) == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("language", "long", "short"),
    [
        ("fr", "30 novembre 2026, 05:52", "30 nov. 2026, 05:52"),
        ("en", "30 November 2026, 05:52", "30 Nov. 2026, 05:52"),
    ],
)
def test_a_moment_is_its_day_and_its_hour_in_paris(language: str, long: str, short: str) -> None:
    with override(language):
        assert long_moment(WINTER).replace("\u00a0", " ") == long
        assert short_moment(WINTER).replace("\u00a0", " ") == short
        assert short_moment(WINTER).startswith(short_day(WINTER.date()))
