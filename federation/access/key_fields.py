"""How a key is served, as people say it: for a new key and for one that is there."""

import ipaddress
import re
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.enums import (
    ENDPOINT_LABELS,
    OWN_LABEL,
    PRIORITY_LABELS,
    ROUTING_MODE_LABELS,
    TOLD_LABELS,
)
from federation.access.fields import between, end_of
from federation.access.operations import KeyFacts
from federation.access.policies import LONGEST_LIFE
from federation.access.queries import known_labels
from federation.catalogue.models import AIModel
from federation.catalogue.models.names import AIModelQuerySet
from federation.days import long_day
from federation.widgets import DayInput
from routing.core.enums import LifecycleStage, PriorityClass, RoutingMode
from routing.core.labels import MAX_LABELS, OWN

MAX_NETWORKS = 20
ORIGIN = re.compile(r"https?://([a-z0-9.-]{1,180}|\[[0-9a-f:]{2,45}\])(:[0-9]{1,5})?")
MAX_ORIGINS = 20


class ModelsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # none while it runs
    """Models to tick; one that goes says until when."""

    def label_from_instance(self, obj: AIModel) -> str:
        if obj.stage != LifecycleStage.DEPRECATED:
            return str(obj)
        if obj.retires_on is None:
            return _("%(model)s (deprecated)") % {"model": obj}
        day = long_day(obj.retires_on)
        return _("%(model)s (deprecated, refused from %(day)s on)") % {"model": obj, "day": day}


class KeyFields(forms.Form):
    """The fields of `KeyFacts`. Those that most keys leave empty bind them to nothing then."""

    priority = forms.TypedChoiceField(
        coerce=lambda value: PriorityClass(int(value)),
        label=gettext_lazy("Class"),
        help_text=gettext_lazy("When servers are busy, a higher class is served first."),
    )
    routing_mode = forms.TypedChoiceField(
        coerce=RoutingMode,
        choices=list(ROUTING_MODE_LABELS.items()),
        initial=RoutingMode.ANY.value,
        label=gettext_lazy("Servers"),
    )
    models = ModelsField(
        AIModel.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Models"),
        help_text=gettext_lazy("None ticked: every model in production, including those to come."),
    )
    expires_on = forms.DateField(
        required=False,
        widget=DayInput,
        label=gettext_lazy("Last day"),
        help_text=gettext_lazy(
            "The key works to the end of this day, for two years at most. Empty: for a year."
        ),
    )
    origins = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        label=gettext_lazy("Web origins"),
        help_text=gettext_lazy(
            "Only for a key used inside web pages: their origins, one a line, such as "
            "https://chat.example.fr."
        ),
    )
    endpoints = forms.MultipleChoiceField(
        choices=list(ENDPOINT_LABELS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Interfaces"),
        help_text=gettext_lazy("None ticked: all of them."),
    )
    networks = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        label=gettext_lazy("Addresses"),
        help_text=gettext_lazy(
            "The public addresses or networks that the software calls from, one a line, such as 192.0.2.0/24. "
            "Empty: from anywhere."
        ),
    )
    labels = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Data class"),
        help_text=gettext_lazy(
            "What every site must have that serves the key. No request goes elsewhere, even when all of them are full."
        ),
    )

    tells = forms.MultipleChoiceField(
        choices=list(TOLD_LABELS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Told in every answer"),
        help_text=gettext_lazy(
            "What each answer took of the planet, beside its tokens: for software that cannot ask with the header "
            "x-ilaas-impact. None ticked: who asks is told."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = cast(forms.MultipleChoiceField, self.fields["labels"])
        labels.choices = [(OWN, OWN_LABEL), *known_labels().items()]
        today = timezone.localdate()
        self.fields["expires_on"].validators += between(today, today + LONGEST_LIFE)

    def offer(self, models: AIModelQuerySet, highest: int) -> None:
        """Let these models be chosen, and the classes up to this one."""
        field = cast("forms.ModelMultipleChoiceField[AIModel]", self.fields["models"])
        field.queryset = models
        priority = cast(forms.TypedChoiceField, self.fields["priority"])
        priority.choices = [item for item in PRIORITY_LABELS.items() if item[0] <= highest]

    def facts(self) -> KeyFacts:
        """Return what a valid form says."""
        given = self.cleaned_data
        return {
            "priority": given["priority"],
            "routing_mode": given["routing_mode"],
            "models": list(given["models"]),
            "origins": given["origins"],
            "endpoints": given["endpoints"],
            "networks": given["networks"],
            "labels": given["labels"],
            "tells": given["tells"],
            "expires_at": end_of(given["expires_on"]) if given["expires_on"] else None,
        }

    def clean_origins(self) -> list[str]:
        lines = self.cleaned_data["origins"].lower().split()
        origins = list(dict.fromkeys(line.rstrip("/") for line in lines))
        if len(origins) > MAX_ORIGINS:
            raise ValidationError(_("At most %(count)s origins."), params={"count": MAX_ORIGINS})
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValidationError(
                    _("“%(origin)s” is not a web origin such as https://chat.example.fr."),
                    params={"origin": origin[:80]},
                )
        return origins

    def clean_networks(self) -> list[str]:
        words = self.cleaned_data["networks"].replace(",", " ").split()
        networks = list(dict.fromkeys(map(_network, words)))
        if len(networks) > MAX_NETWORKS:
            raise ValidationError(_("At most %(count)s addresses."), params={"count": MAX_NETWORKS})
        return networks

    def clean_labels(self) -> list[str]:
        labels: list[str] = self.cleaned_data["labels"]
        if len(labels) > MAX_LABELS:
            raise ValidationError(_("At most %(count)s labels."), params={"count": MAX_LABELS})
        return labels


def _network(word: str) -> str:
    """Return a network as it is compared. Raises `ValidationError` on what is none, or is everywhere."""
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        network = None
    if network is None or "%" in word:
        raise ValidationError(
            _("“%(word)s” is not an address or network such as 192.0.2.0/24."),
            params={"word": word[:80]},
        )
    if network.prefixlen == 0:
        raise ValidationError(
            _("“%(word)s” is every address: leave the field empty for that."),
            params={"word": word[:80]},
        )
    return str(network)
