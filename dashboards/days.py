"""A day written out, as a sentence has it."""

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import get_language


def long_day(day: date) -> str:
    """Return `day` in words: French says the first of a month as an ordinal, the others as they are."""
    text = date_format(day, "DATE_FORMAT")
    if get_language() == "fr" and day.day == 1:
        return f"1er{text.removeprefix('1')}"
    return text
