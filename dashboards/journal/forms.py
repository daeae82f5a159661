"""What a reader asks of the journal, in its address. Whatever cannot be read is told and left out."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from dashboards.journal.sentences import GROUPS
from federation.journal.models import AuditEvent, AuditEventQuerySet
from federation.members.models import Institution
from federation.people.models import User
from federation.widgets import DayInput

MINE, ALL = "mine", ""
HIGHEST = 2**63 - 1
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)


class InstitutionField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic class at run time
    def label_from_instance(self, obj: Institution) -> str:
        return obj.short_name


def _day(label: Any) -> forms.DateField:
    widget = DayInput
    within = [MinValueValidator(EARLIEST), MaxValueValidator(LATEST)]
    return forms.DateField(required=False, label=label, widget=widget, validators=within)


class JournalForm(forms.Form):
    """Filters of the journal; call `is_valid` before asking for `events`."""

    group = forms.ChoiceField(required=False, label=gettext_lazy("About"))
    institution = InstitutionField(
        Institution.objects.none(),
        required=False,
        empty_label=pgettext_lazy("institutions", "all"),
        label=gettext_lazy("Institution"),
    )
    whose = forms.ChoiceField(
        required=False,
        choices=[(ALL, gettext_lazy("everybody’s")), (MINE, gettext_lazy("my own"))],
        label=gettext_lazy("Acts"),
    )
    object = forms.CharField(
        required=False, max_length=64, label=gettext_lazy("Identifier of an object")
    )
    first = _day(gettext_lazy("From"))
    last = _day(gettext_lazy("To"))
    before = forms.IntegerField(
        required=False, min_value=1, max_value=HIGHEST, widget=forms.HiddenInput
    )

    def __init__(self, asked: Mapping[str, str], *, user: User) -> None:
        super().__init__(asked)
        self._user = user
        groups = [(name, capfirst(str(label))) for name, label in GROUPS.items()]
        all_groups = ("", pgettext_lazy("acts", "all"))
        cast(forms.ChoiceField, self.fields["group"]).choices = [all_groups, *groups]
        overseen = Institution.objects.order_by("short_name")
        if not user.sees_everything:
            overseen = overseen.filter(pk__in=user.overseen_institution_ids)
            if not user.overseen_institution_ids:
                del self.fields["institution"], self.fields["whose"]
        if "institution" in self.fields:
            cast("forms.ModelChoiceField[Any]", self.fields["institution"]).queryset = overseen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            del cleaned["last"]
            self.add_error("first", _("These days are no period: the first comes before the last."))
        return cleaned

    @property
    def is_narrow(self) -> bool:
        return any(value for name, value in self.cleaned_data.items() if name != "before")

    @property
    def chosen(self) -> AuditEventQuerySet:
        """What is asked for out of all that the reader may see, on whatever page, the newest first."""
        asked = self.cleaned_data
        events = AuditEvent.objects.for_user(self._user).order_by("-seq")
        if group := asked.get("group"):
            events = events.filter(verb__startswith=f"{group}.")
        if institution := asked.get("institution"):
            events = events.filter(institution_id=institution.pk)
        if asked.get("whose") == MINE:
            events = events.filter(actor_pseudonym=self._user.pseudonym)
        if wanted := asked.get("object"):
            events = events.filter(object_id=wanted)
        if first := asked.get("first"):
            events = events.filter(at__gte=_midnight(first))
        if last := asked.get("last"):
            events = events.filter(at__lt=_midnight(last + timedelta(days=1)))
        return events

    @property
    def page(self) -> AuditEventQuerySet:
        """What is chosen, from the reader's place on."""
        before = self.cleaned_data.get("before")
        return self.chosen.filter(seq__lt=before) if before else self.chosen


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
