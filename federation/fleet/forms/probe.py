"""The meter of a server's energy, as its owner tells it. The operation decides and writes."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.fleet.enums import EnergyUnit, MeterScope
from federation.fleet.forms.networks import PLAIN
from federation.fleet.models import EnergyProbe, InferenceServer
from federation.fleet.models.probes import MOST_WATTS
from federation.fleet.operations.probes import Described, described_by, probe_of, set_probe
from federation.people.models import User
from federation.seen import SeenField, changed_meanwhile
from federation.widgets import FigureInput

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"([^"\\\n]*)"\s*(?:,|$)')


class ProbeForm(forms.Form):
    url = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={**PLAIN, "inputmode": "url"}),
        label=gettext_lazy("Address of the page"),
        help_text=gettext_lazy(
            "Of Prometheus text, such as https://gpu-1.example.fr:9400/metrics. The router goes there as it goes to "
            "the server: whatever is not public https on a listed port needs leave under “Networks”."
        ),
    )
    metric = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Metric"),
        help_text=gettext_lazy(
            "dcgm-exporter: DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION in mJ, or DCGM_FI_DEV_POWER_USAGE in W. "
            "Scaphandre: scaph_host_power_microwatts in µW, without the GPUs."
        ),
    )
    labels = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Only series with these labels"),
        help_text=gettext_lazy(
            'As Hostname="gpu-1", device="nvidia0": at most 8. Series that have them all are summed.'
        ),
    )
    unit = forms.ChoiceField(choices=EnergyUnit.choices, label=gettext_lazy("It counts"))
    scope = forms.ChoiceField(choices=MeterScope.choices, label=gettext_lazy("It sees"))
    multiplier = forms.DecimalField(
        min_value=Decimal("0.000001"),
        max_value=1000,
        max_digits=10,
        decimal_places=6,
        initial=1,
        widget=FigureInput,
        label=gettext_lazy("Multiplier"),
        help_text=gettext_lazy("By which it is corrected, such as 0.5 for a half of what it sees."),
    )
    idle_w = forms.DecimalField(
        min_value=0,
        max_value=MOST_WATTS,
        max_digits=8,
        decimal_places=1,
        widget=FigureInput,
        label=gettext_lazy("Watts without work"),
        help_text=gettext_lazy(
            "What all that the meter sees draws while nobody asks anything, with the model loaded: it is booked to "
            "the server, and to no request."
        ),
    )
    limit_w = forms.DecimalField(
        required=False,
        min_value=1,
        max_value=MOST_WATTS,
        max_digits=8,
        decimal_places=1,
        widget=FigureInput,
        label=gettext_lazy("The most that it can draw, in watts"),
        help_text=gettext_lazy(
            "More is taken for a fault. Empty: what its GPUs can draw by their maker, and half as much again."
        ),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, server: InferenceServer) -> None:
        self._server = server
        self._probe = probe = probe_of(server)
        told = described_by(probe) if probe else None
        super().__init__(data, initial=_shown(told) if told else None, auto_id="id_meter_%s")
        self._seen = SeenField(told)
        self.fields["seen"] = self._seen

    def clean_labels(self) -> dict[str, str]:
        text, found, at = self.cleaned_data["labels"].strip(), dict[str, str](), 0
        while at < len(text):
            match = _LABEL.match(text, at)
            if match is None:
                raise ValidationError(_('Labels are written as name="value", with commas between.'))
            found[match[1]], at = match[2], match.end()
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self._seen.is_current(cleaned.get("seen", "")):
            raise changed_meanwhile()
        return cleaned

    def save(self, by: User) -> EnergyProbe | None:
        """Write. None, with the reason in the form, when it is refused."""
        told = self.cleaned_data
        described = Described(**{name: told[name] for name in Described.__annotations__})  # type: ignore[typeddict-item]
        try:
            return set_probe(by=by, server=self._server, described=described)
        except ValidationError as refusal:
            self.add_error(None, refusal)
        return None


def _shown(told: Described) -> dict[str, Any]:
    labels = ", ".join(f'{name}="{value}"' for name, value in told["labels"].items())
    figures = {
        name: f"{value:f}" if value is not None else None
        for name, value in told.items()
        if isinstance(value, Decimal)
    }
    return {**told, **figures, "labels": labels}
