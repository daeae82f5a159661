"""What a reader asks of the usage page, in its address. Whatever cannot be read is told and left at its default."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.enums import Scope
from billing.periods import Period, last_days
from billing.usage.asked import Asked, scopes
from federation.access.models import ApiKey, Application
from federation.catalogue.models import AIModel
from federation.people.models import User
from federation.widgets import DayInput, LongSelect

CUSTOM = "custom"
PERIODS = {
    "7": gettext_lazy("7 days"),
    "30": gettext_lazy("30 days"),
    "90": gettext_lazy("90 days"),
    CUSTOM: gettext_lazy("from … to …"),
}
DEFAULT_DAYS = 30
MOST_DAYS = 366
USUALLY_OVERSEEN = (Scope.FEDERATION, Scope.INSTITUTION, Scope.MINE)
"""What someone who owns no application is shown first: the first of these that they may see."""
TOKENS, REQUESTS = "tokens", "requests"
UNITS = {TOKENS: gettext_lazy("tokens"), REQUESTS: gettext_lazy("requests")}


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        required=False,
        label=label,
        widget=DayInput,
    )


class NamedField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic class at run time
    """Rows by their names, the values of `named`: an instance for each of hundreds takes much of a page's time."""

    class iterator(forms.models.ModelChoiceIterator):  # type: ignore[type-arg]  # noqa: N801  # what Django calls it
        field: "NamedField"

        def __iter__(self) -> Iterator[tuple[str, Any]]:
            yield "", self.field.empty_label
            for pk, *names in self.queryset.values_list("pk", *self.field.named):
                yield str(pk), " · ".join(names)

    def __init__(self, *named: str, **options: Any) -> None:
        self.named = named
        super().__init__(queryset=None, required=False, widget=LongSelect, **options)


class UsageForm(forms.Form):
    """Filters of the usage page; call `is_valid` before reading the choices."""

    days = forms.ChoiceField(
        choices=list(PERIODS.items()), initial=str(DEFAULT_DAYS), label=gettext_lazy("Period")
    )
    first = _day(gettext_lazy("From"))
    last = _day(gettext_lazy("To"))
    scope = forms.TypedChoiceField(coerce=Scope, initial=Scope.MINE, label=gettext_lazy("Whose"))
    application = NamedField(
        "name",
        "institution__short_name",  # two may have an application of the same name
        empty_label=pgettext_lazy("applications", "all"),
        label=gettext_lazy("Application"),
    )
    key = NamedField(
        "application__name",
        "name",
        "application__institution__short_name",
        empty_label=pgettext_lazy("keys", "all"),
        label=gettext_lazy("Key"),
    )
    model = forms.ModelChoiceField(
        AIModel.objects.none(),
        required=False,
        to_field_name="slug",
        empty_label=gettext_lazy("all"),
        label=gettext_lazy("Model"),
    )
    unit = forms.ChoiceField(
        choices=list(UNITS.items()), initial=TOKENS, label=gettext_lazy("Chart of")
    )

    def __init__(self, asked: Mapping[str, str], *, user: User) -> None:
        self._user, choices = user, scopes(user)
        owns_some = Application.objects.filter(owner=user).exists()
        self._usual_scope = (
            Scope.MINE
            if owns_some
            else next(scope for scope in USUALLY_OVERSEEN if scope in choices)
        )
        defaults = {name: field.initial for name, field in self.base_fields.items()}
        super().__init__({**defaults, "scope": self._usual_scope.value, **asked})
        self._offer("application", Application.objects.for_user(user))
        self._offer("key", ApiKey.objects.for_user(user))
        self._offer("model", AIModel.objects.for_user(user))
        scope = cast(forms.TypedChoiceField, self.fields["scope"])
        scope.choices = [(choice.value, choice.label) for choice in choices]
        if len(choices) == 1:
            scope.widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("days") == CUSTOM and not {"first", "last"} & self.errors.keys():
            self._check_days(cleaned["first"], cleaned["last"])
        return cleaned

    @property
    def period(self) -> Period:
        """The days asked for; the usual ones when that is no period."""
        days = self.cleaned_data.get("days", str(DEFAULT_DAYS))
        if days != CUSTOM:
            return last_days(int(days))
        if self.errors.keys() & {"first", "last"}:
            return last_days(DEFAULT_DAYS)
        return Period(self.cleaned_data["first"], self.cleaned_data["last"])

    @property
    def counts_tokens(self) -> bool:
        """Whether the chart is of tokens; else of requests."""
        return bool(self.cleaned_data.get("unit", TOKENS) == TOKENS)

    @property
    def asked(self) -> Asked:
        chosen = self.cleaned_data
        return Asked(
            self._user,
            self.period,
            scope=chosen.get("scope", self._usual_scope),
            application=_id_of(chosen.get("application")),
            key=_id_of(chosen.get("key")),
            model=_id_of(chosen.get("model")),
        )

    def _check_days(self, first: date | None, last: date | None) -> None:
        if first is None or last is None:
            self.add_error("last" if first else "first", _("Give both days, or choose a period."))
            return
        try:
            count = len(Period(first, last).days)
        except ValueError:
            self.add_error("first", _("These days are no period: the first comes before the last."))
            return
        if count > MOST_DAYS:
            message = _("At most %(count)s days at once.") % {"count": MOST_DAYS}
            self.add_error("first", message)

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        cast("forms.ModelChoiceField[Any]", self.fields[name]).queryset = rows


class FindForm(forms.Form):
    """An identifier by which to find one request."""

    id = forms.CharField(max_length=128)


def _id_of(row: Model | None) -> UUID | None:
    return row.pk if row else None
