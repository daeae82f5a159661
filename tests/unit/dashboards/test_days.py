"""A day in words, in both languages."""

from datetime import date

import pytest
from django.utils.translation import override

from dashboards.days import long_day


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
        assert long_day(day) == text
