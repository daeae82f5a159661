"""A day or a moment in words: one long form for sentences, one short for lines and tables. No line breaks inside a day.

Days are dates; moments are aware, and told in the time of the federation.
"""

from collections.abc import Callable
from datetime import date, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language

NO_BREAK = "\u00a0"


def long_day(day: date) -> str:
    """Return `day` in words: French says the first of a month as an ordinal, the others as they are."""
    return _whole(day, date_format(day, "DATE_FORMAT"))


def short_day(day: date) -> str:
    """Return `day` with its month abbreviated, for a line with several."""
    return _whole(day, date_format(day, "j N Y"))


def long_moment(moment: datetime) -> str:
    return _with_hour(long_day, moment)


def short_moment(moment: datetime) -> str:
    return _with_hour(short_day, moment)


def _with_hour(day_in_words: Callable[[date], str], moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{day_in_words(local)}, {date_format(local, 'H:i')}"


def _whole(day: date, text: str) -> str:
    if get_language() == "fr" and day.day == 1:
        text = f"1er{text.removeprefix('1')}"
    return text.replace(" ", NO_BREAK)
