"""The hours of the week at which a server is there, a line each."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from federation.fleet.calendar import HOURS_OF_A_DAY
from federation.fleet.enums import Days
from federation.fleet.week import MOST_LINES, OpenHours

EMPTY_LINES = 2
NO_CHOICE = [("", "—")]


class WeekForm(forms.Form):
    """One line of the week; one without days says nothing."""

    days = forms.ChoiceField(
        choices=[*NO_CHOICE, *Days.choices], required=False, label=gettext_lazy("Days")
    )
    start = forms.IntegerField(
        min_value=0, max_value=HOURS_OF_A_DAY - 1, initial=20, label=gettext_lazy("From (h)")
    )
    end = forms.IntegerField(
        min_value=1, max_value=HOURS_OF_A_DAY, initial=24, label=gettext_lazy("To (h)")
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and cleaned["days"]:
            OpenHours(Days(cleaned["days"]), cleaned["start"], cleaned["end"])
        return cleaned


WeekFormSet = forms.formset_factory(
    WeekForm, extra=EMPTY_LINES, max_num=MOST_LINES, absolute_max=MOST_LINES
)
