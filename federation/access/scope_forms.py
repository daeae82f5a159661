"""What a key may be bound to besides models and class: paths, addresses, and the sites' labels."""

import ipaddress
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.enums import ENDPOINT_LABELS, OWN_LABEL
from federation.access.queries import known_labels
from routing.core.labels import MAX_LABELS, OWN

MAX_NETWORKS = 20


class ScopeFields(forms.Form):
    """The fields that most keys leave empty: then nothing binds them."""

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = cast(forms.MultipleChoiceField, self.fields["labels"])
        labels.choices = [(OWN, OWN_LABEL), *known_labels().items()]

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
            _("“%(word)s” is no address or network such as 192.0.2.0/24."),
            params={"word": word[:80]},
        )
    if network.prefixlen == 0:
        raise ValidationError(
            _("“%(word)s” is every address: leave the field empty for that."),
            params={"word": word[:80]},
        )
    return str(network)
