"""The limits of one key, application or institution as a form: a number for each measure, empty for none."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from federation.access.enums import MEASURE_LABELS
from federation.access.models import ApiKey, Limit, LimitOwner, scope_of
from federation.access.operations import remove_limit, set_limit, set_threshold
from federation.people.models import User
from federation.seen import SeenField, changed_meanwhile
from routing.core.enums import Measure

MOST = 10**15
MOST_THRESHOLD = 100_000
THRESHOLD, SEEN = "threshold", "seen"


class LimitsForm(forms.Form):
    """Saves what differs, by the operations."""

    def __init__(self, data: QueryDict | None, *, by: User, owner: LimitOwner) -> None:
        self._by, self.owner = by, owner
        self.scope = scope_of(owner)
        rows = Limit.objects.in_force().filter(**{self.scope.value: owner})
        self._limits = {Measure(row.measure): row for row in rows}
        super().__init__(data, prefix=self.scope.value)
        for measure in Measure:
            limit = self._limits.get(measure)
            self.fields[measure.value] = forms.IntegerField(
                label=capfirst(MEASURE_LABELS[measure.value]),
                min_value=1,
                max_value=MOST,
                required=False,
                initial=limit.most if limit else None,
            )
        if isinstance(owner, ApiKey):
            self.fields[THRESHOLD] = forms.IntegerField(
                label=gettext_lazy("Requests waiting before it"),
                help_text=gettext_lazy(
                    "When more wait for a model, the key’s requests are refused at once instead of waiting behind them."
                ),
                min_value=0,
                max_value=MOST_THRESHOLD,
                required=False,
                initial=owner.threshold,
            )
        self._seen = SeenField({name: field.initial for name, field in self.fields.items()})
        self.fields[SEEN] = self._seen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self._seen.is_current(cleaned[SEEN]):
            raise changed_meanwhile()
        return cleaned

    def save(self) -> None:
        """Set, change and remove what the form says; what it does not change leaves no trace."""
        for measure in Measure:
            most, limit = self.cleaned_data[measure.value], self._limits.get(measure)
            if most is not None and (limit is None or limit.most != most):
                set_limit(by=self._by, owner=self.owner, measure=measure, most=most)
            elif most is None and limit is not None:
                remove_limit(by=self._by, limit=limit)
        if isinstance(self.owner, ApiKey):
            threshold = self.cleaned_data[THRESHOLD]
            if threshold != self.owner.threshold:
                set_threshold(by=self._by, key=self.owner, threshold=threshold)
