"""What a server's energy is reckoned from, as its owner tells it. The operation decides and writes."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from federation.fleet.enums import Grid
from federation.fleet.models import InferenceServer
from federation.fleet.models.servers import MOST_GPUS
from federation.fleet.operations.servers import Machine, describe_machine, machine_of
from federation.people.models import User
from federation.seen import SeenField, changed_meanwhile


class MachineForm(forms.Form):
    gpu_type = forms.CharField(
        required=False,
        max_length=80,
        label=gettext_lazy("Type of GPU"),
        help_text=gettext_lazy("As its driver calls it, such as H100 SXM 80 GB or L40S."),
    )
    gpu_count = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_GPUS,
        label=gettext_lazy("Number of GPUs"),
        help_text=gettext_lazy("Those that this server has for itself."),
    )
    pue = forms.DecimalField(
        required=False,
        min_value=1,
        max_value=5,
        max_digits=4,
        decimal_places=2,
        label=gettext_lazy("PUE of the site"),
        help_text=gettext_lazy(
            "Power of the whole site over that of its machines, over a year. It holds for every server of the site; "
            "while it is not known, 1.5 is taken."
        ),
    )
    grid = forms.ChoiceField(
        choices=Grid.choices,
        label=gettext_lazy("Electricity grid of the site"),
        help_text=gettext_lazy("Its factors turn energy into CO2e and water."),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, server: InferenceServer) -> None:
        self._server = server
        machine = machine_of(server)
        super().__init__(data, initial=cast(dict[str, Any], machine))
        self._seen = SeenField(machine)
        self.fields["seen"] = self._seen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self._seen.is_current(cleaned.get("seen", "")):
            raise changed_meanwhile()
        return cleaned

    def save(self, by: User) -> InferenceServer | None:
        """Write. None, with the reason in the form, when it is refused."""
        told = self.cleaned_data
        machine = Machine(
            gpu_type=told["gpu_type"],
            gpu_count=told["gpu_count"],
            pue=told["pue"],
            grid=told["grid"],
        )
        try:
            return describe_machine(by=by, server=self._server, machine=machine)
        except ValidationError as refusal:
            self.add_error(None, refusal)
        return None
