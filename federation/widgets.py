"""Widgets that every form of the portal shares."""

import re
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.dateparse import parse_date
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


class FigureInput(forms.NumberInput):
    """A number. What is none is not shown again: browsers would refuse to, and complain of it."""

    def format_value(self, value: object) -> str | None:
        shown = super().format_value(value)
        return shown if shown and _NUMBER.fullmatch(shown) else None


class LongSelect(forms.Select):
    """A select of hundreds of options. Django renders a template for each, which takes most of a page's time."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: object = None
    ) -> SafeString:
        chosen = set(self.format_value(value))
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (key, mark_safe(" selected") if str(key) in chosen else "", label)
                for key, label in self.choices
            ),
        )
        all_attrs = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>{}</select>", flatatt(all_attrs), options)


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
