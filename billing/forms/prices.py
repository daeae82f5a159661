"""Prices in euros per million tokens, per second of audio and image, and fees in per cent, as people say them."""

from collections.abc import Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from billing.enums import PriceKind
from billing.forms.accounts import InstitutionChoice
from billing.models import DEAREST_NANO, SINGLE, UNITS, FeeVersion, PriceVersion
from billing.models.prices import LONGEST_NOTE
from billing.money import NANO_PER_MILLION, euros, nano_of, nano_per_unit, per_million
from billing.operations.prices import Units, set_fee, set_price
from billing.periods import PARIS
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User
from federation.widgets import DayInput

DEAREST = Decimal(DEAREST_NANO) / NANO_PER_MILLION
DEAREST_SINGLE = euros(DEAREST_NANO)
LABELS = {
    "prompt_nano": _("Million of tokens read"),
    "cached_nano": _("of which from a cache"),
    "completion_nano": _("Million of tokens written"),
    "embedding_nano": _("Million of tokens of embeddings"),
    "audio_second_nano": _("Second of audio"),
    "image_nano": _("Image"),
}
HELP = {
    "audio_second_nano": _("0.0001 a second is 0.36 an hour."),
    "image_nano": _("Each that is made."),
}


class BeginningForm(forms.Form):
    """With the day from which it is valid."""

    day = forms.DateField(
        required=False,
        label=_("Valid from"),
        widget=DayInput,
        help_text=_("From its first moment in Paris. Empty: in a minute."),
    )
    note = forms.CharField(
        required=False,
        max_length=LONGEST_NOTE,
        label=_("Note"),
        help_text=_("Every member reads it: where the price comes from, who decided."),
    )

    @property
    def _valid_from(self) -> datetime | None:
        day = self.cleaned_data["day"]
        return datetime.combine(day, time.min, PARIS) if day else None

    def _take(self, refusal: ValidationError) -> None:
        """Show what is refused where it can be put right."""
        for name, errors in getattr(refusal, "error_dict", {None: refusal.messages}).items():
            self.add_error(name if name in self.fields else None, errors)


def _said(unit: str, nano: int) -> str:
    """Return a unit's price as its field has it."""
    return f"{euros(nano) if unit in SINGLE else per_million(nano):f}"


def _meant(unit: str, price: Decimal) -> int:
    """Return the nano-euros that a unit's field means."""
    return nano_of(price) if unit in SINGLE else nano_per_unit(price)


class PriceForm(BeginningForm):
    kind = forms.ChoiceField(
        choices=PriceKind.choices,
        label=_("Kind"),
        help_text=_("Provisional until the year’s costs are known, then final."),
    )
    field_order = (*UNITS, "kind", "day", "note")

    def __init__(
        self, data: Mapping[str, Any] | None, *, model: AIModel, last: PriceVersion | None
    ) -> None:
        self._model = model
        known = {unit: getattr(last, unit, None) for unit in UNITS}
        initial = {
            unit: None if nano is None else _said(unit, nano) for unit, nano in known.items()
        }
        super().__init__(
            data, initial={**initial, "kind": last.kind if last else PriceKind.PROVISIONAL}
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("cached_nano") is not None and cleaned.get("prompt_nano") is None:
            self.add_error(
                "cached_nano", _("Give what is read from a cache a price only with what is read.")
            )
        return cleaned

    def save(self, by: User) -> PriceVersion | None:
        """Announce the price. None, with the reason in the form, when it is refused."""
        asked = {unit: self.cleaned_data[unit] for unit in UNITS}
        units = {
            unit: None if price is None else _meant(unit, price) for unit, price in asked.items()
        }
        try:
            return set_price(
                by=by,
                model=self._model,
                units=cast(Units, units),
                valid_from=self._valid_from,
                kind=PriceKind(self.cleaned_data["kind"]),
                note=self.cleaned_data["note"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None


for _unit, _label in LABELS.items():
    PriceForm.base_fields[_unit] = forms.DecimalField(
        required=False,
        min_value=0,
        max_value=DEAREST_SINGLE if _unit in SINGLE else DEAREST,
        max_digits=12,
        decimal_places=9 if _unit in SINGLE else 3,
        label=_label,
        help_text=HELP.get(_unit, ""),
    )


class FeeForm(BeginningForm):
    percent = forms.DecimalField(
        min_value=0, max_value=100, max_digits=5, decimal_places=2, label=_("Per cent of the cost")
    )
    institution = InstitutionChoice(
        Institution.objects.none(),
        required=False,
        empty_label=_("all that have no fee of their own"),
        label=_("For what is used by"),
    )
    field_order = ("percent", "institution", "day", "note")

    def __init__(self, data: Mapping[str, Any] | None) -> None:
        super().__init__(data)
        field = cast(InstitutionChoice, self.fields["institution"])
        field.queryset = Institution.objects.order_by("name")

    def save(self, by: User) -> FeeVersion | None:
        try:
            return set_fee(
                by=by,
                basis_points=int(self.cleaned_data["percent"] * 100),
                institution=self.cleaned_data["institution"],
                valid_from=self._valid_from,
                note=self.cleaned_data["note"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None
