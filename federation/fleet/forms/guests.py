"""The rules for guests of a server as a form: who and what is not served, and lines of hours with a ceiling."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from federation.catalogue.models import AIModel
from federation.fleet.calendar import HOURS_OF_A_DAY, MOST_GUESTS, GuestHours
from federation.fleet.enums import Days
from federation.fleet.models import GuestRules, InferenceServer
from federation.fleet.operations.guests import set_guest_rules
from federation.members.models import Institution
from federation.people.models import User
from federation.seen import SeenField, changed_meanwhile
from routing.core.enums import PriorityClass

EMPTY_LINES = 3
LINES = 10


class GuestRulesForm(forms.Form):
    """All but the hours."""

    lowest_class = forms.TypedChoiceField(
        coerce=lambda value: PriorityClass(int(value)),
        choices=[(level.value, f"P{level.value}") for level in PriorityClass],
        label=gettext_lazy("Lowest class"),
        help_text=gettext_lazy("Other institutions’ requests of lower classes are not served."),
    )
    blocked_institutions = forms.ModelMultipleChoiceField(
        Institution.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Institutions that are not served"),
    )
    blocked_models = forms.ModelMultipleChoiceField(
        AIModel.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Models that are not served to others"),
    )

    def __init__(self, data: QueryDict | None, *, server: InferenceServer) -> None:
        rules = GuestRules.objects.filter(server=server).first()
        super().__init__(data, initial=_initial(rules))
        self._seen = SeenField(_state(rules))
        self.fields["seen"] = self._seen
        others = Institution.objects.approved().exclude(pk=server.institution.pk)
        served = AIModel.objects.filter(versions__deployments__in=server.deployments.live())
        if rules is not None:
            others |= Institution.objects.filter(pk__in=rules.blocked_institutions.values("pk"))
            served |= AIModel.objects.filter(pk__in=rules.blocked_models.values("pk"))
        self._choose("blocked_institutions", others.distinct().order_by("short_name"))
        self._choose("blocked_models", served.distinct().order_by("slug"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self._seen.is_current(cleaned["seen"]):
            raise changed_meanwhile()
        return cleaned

    def _choose(self, name: str, rows: Any) -> None:
        field = cast("forms.ModelMultipleChoiceField[Any]", self.fields[name])
        field.queryset = rows
        if not rows:
            del self.fields[name]


def _hour(least: int, most: int, out_of_range: Any, **given: Any) -> forms.IntegerField:
    """Return a field so narrow that what is wrong with it is said in few words."""
    messages = dict.fromkeys(("min_value", "max_value"), out_of_range)
    return forms.IntegerField(min_value=least, max_value=most, error_messages=messages, **given)


class HoursForm(forms.Form):
    """One line of the calendar; one without a number says nothing, whatever else it holds."""

    days = forms.TypedChoiceField(
        coerce=Days, choices=Days.choices, initial=Days.WORKING, label=gettext_lazy("Days")
    )
    start = _hour(
        *(0, HOURS_OF_A_DAY - 1, gettext_lazy("From 0 to 23.")),
        initial=8,
        label=gettext_lazy("From (h)"),
    )
    end = _hour(
        *(1, HOURS_OF_A_DAY, gettext_lazy("From 1 to 24.")),
        initial=18,
        label=gettext_lazy("To (h)"),
    )
    most = forms.IntegerField(
        min_value=0, max_value=MOST_GUESTS, required=False, label=gettext_lazy("At most")
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "most" in cleaned and cleaned["most"] is None:
            self.errors.clear()
        elif not self.errors:
            self.line(cleaned)
        return cleaned

    def line(self, cleaned: dict[str, Any]) -> GuestHours | None:
        if cleaned["most"] is None:
            return None
        return GuestHours(cleaned["days"], cleaned["start"], cleaned["end"], cleaned["most"])


HoursFormSet = forms.formset_factory(
    HoursForm, extra=EMPTY_LINES, max_num=LINES, absolute_max=LINES
)


class Rules:
    """The page's two parts as one."""

    def __init__(self, data: QueryDict | None, *, by: User, server: InferenceServer) -> None:
        self._by, self._server = by, server
        self.form = GuestRulesForm(data, server=server)
        rules = GuestRules.objects.filter(server=server).first()
        self.hours = HoursFormSet(data, prefix="hours", initial=rules.hours if rules else [])

    def is_valid(self) -> bool:
        return all([self.form.is_valid(), self.hours.is_valid()])

    def save(self) -> bool:
        """Set the rules. False, with the reason in the form, when they are refused."""
        given = self.form.cleaned_data
        lines = [
            each.line(each.cleaned_data)
            for each in self.hours
            if each.has_changed() or each.initial
        ]
        try:
            set_guest_rules(
                by=self._by,
                server=self._server,
                lowest_class=given["lowest_class"],
                hours=[line for line in lines if line is not None],
                blocked_institutions=list(given.get("blocked_institutions", ())),
                blocked_models=list(given.get("blocked_models", ())),
            )
        except ValidationError as refusal:
            self.form.add_error(None, refusal.messages)
            return False
        return True


def _state(rules: GuestRules | None) -> object:
    if rules is None:
        return None
    chosen = (rules.blocked_institutions, rules.blocked_models)
    blocked = [sorted(str(pk) for pk in each.values_list("pk", flat=True)) for each in chosen]
    return [rules.lowest_class, rules.hours, *blocked]


def _initial(rules: GuestRules | None) -> dict[str, Any]:
    if rules is None:
        return {"lowest_class": PriorityClass.P1.value}
    return {
        "lowest_class": rules.lowest_class,
        "blocked_institutions": rules.blocked_institutions.all(),
        "blocked_models": rules.blocked_models.all(),
    }
