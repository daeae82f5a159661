"""Which month, and what is granted or taken back."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import LONGEST_REASON, Transfer
from billing.money import NANO, euros
from billing.operations.ledger import LARGEST_GRANT_NANO, grant, reverse
from billing.periods import paris_today
from federation.members.models import Institution
from federation.people.models import User


class MonthForm(forms.Form):
    """A month of the accounts, or all of them."""

    month = forms.ChoiceField(required=False, label=gettext_lazy("Month"))

    def __init__(self, asked: Mapping[str, str], *, months: list[date]) -> None:
        super().__init__(asked)
        field = cast(forms.ChoiceField, self.fields["month"])
        named = [(f"{month:%Y-%m-%d}", date_format(month, "F Y")) for month in months]
        field.choices = [("", _("all")), *named]

    @property
    def chosen(self) -> date | None:
        """The month asked for; None for all of them, and for what is none."""
        if not self.is_valid():
            return None
        return parse_date(self.cleaned_data["month"])


class SpanForm(forms.Form):
    """Months from the first to the last, both included; the present year where nothing is asked."""

    first = forms.ChoiceField(required=False, label=gettext_lazy("From"))
    last = forms.ChoiceField(required=False, label=gettext_lazy("To"))

    def __init__(self, asked: Mapping[str, str], *, months: list[date]) -> None:
        this_month = paris_today().replace(day=1)
        known = sorted({*months, this_month, this_month.replace(month=1)}, reverse=True)
        named = [(f"{month:%Y-%m}", date_format(month, "F Y")) for month in known]
        self._present = (this_month.replace(month=1), this_month)
        usual = {
            name: f"{month:%Y-%m}"
            for name, month in zip(("first", "last"), self._present, strict=True)
        }
        super().__init__({**usual, **asked})
        for name in ("first", "last"):
            cast(forms.ChoiceField, self.fields[name]).choices = named

    @property
    def chosen(self) -> tuple[date, date]:
        """The months asked for, in their order; those of this year for what is none."""
        if not self.is_valid() or not all(self.cleaned_data.values()):
            return self._present
        first, last = sorted(
            date.fromisoformat(f"{self.cleaned_data[n]}-01") for n in ("first", "last")
        )
        return first, last


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("It stands in the ledger for good; the institution reads it."),
    )

    def _take(self, refusal: ValidationError) -> None:
        self.add_error(None, refusal.messages)


class InstitutionChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic class at run time
    def label_from_instance(self, obj: Institution) -> str:
        return obj.name


class GrantForm(ReasonForm):
    institution = InstitutionChoice(Institution.objects.none(), label=gettext_lazy("Institution"))
    amount = forms.DecimalField(
        min_value=Decimal("0.01"),
        max_value=euros(LARGEST_GRANT_NANO),
        max_digits=12,
        decimal_places=2,
        label=gettext_lazy("Amount in euros"),
    )
    field_order = ("institution", "amount", "reason")

    def __init__(self, data: Mapping[str, Any] | None) -> None:
        super().__init__(data)
        field = cast(InstitutionChoice, self.fields["institution"])
        field.queryset = Institution.objects.order_by("name")

    def save(self, by: User) -> Transfer | None:
        """Grant it. None, with the reason in the form, when it is refused."""
        try:
            return grant(
                by=by,
                institution=self.cleaned_data["institution"],
                amount_nano=int(self.cleaned_data["amount"] * NANO),
                reason=self.cleaned_data["reason"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


class ReversalForm(ReasonForm):
    def __init__(self, data: Mapping[str, Any] | None, *, transfer: Transfer) -> None:
        super().__init__(data)
        self._transfer = transfer

    def save(self, by: User) -> Transfer | None:
        try:
            return reverse(by=by, transfer=self._transfer, reason=self.cleaned_data["reason"])
        except ValidationError as refusal:
            self._take(refusal)
        return None
