"""A day in words, as a sentence or a line has it."""

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import get_language


def long_day(day: date) -> str:
    """Return `day` in words: French says the first of a month as an ordinal, the others as they are."""
    return _ordinal(day, date_format(day, "DATE_FORMAT"))


def short_day(day: date) -> str:
    """Return `day` with its month abbreviated, for a line with several."""
    return _ordinal(day, date_format(day, "j N Y"))


def _ordinal(day: date, text: str) -> str:
    if get_language() == "fr" and day.day == 1:
        return f"1er{text.removeprefix('1')}"
    return text
