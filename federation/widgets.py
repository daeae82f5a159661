"""Widgets that every form of the portal shares."""

from django import forms
from django.utils.dateparse import parse_date


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
