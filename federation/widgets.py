"""Widgets that every form of the portal shares."""

import re

from django import forms
from django.utils.dateparse import parse_date

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


class FigureInput(forms.NumberInput):
    """A number. What is none is not shown again: browsers would refuse to, and complain of it."""

    def format_value(self, value: object) -> str | None:
        shown = super().format_value(value)
        return shown if shown and _NUMBER.fullmatch(shown) else None


class DayInput(forms.DateInput):
    """A day, in a browser's own calendar. What is no day is not shown again: browsers would refuse to."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")

    def format_value(self, value: object) -> str | None:
        shown = super().format_value(value)
        try:
            return shown if shown and parse_date(shown) else None
        except ValueError:  # well written, and still no day, such as 30 February
            return None
