"""A private network of a site as it is asked for, and the answer to one that was."""

from datetime import date
from typing import cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.fleet.models import Site
from federation.fleet.models.networks import MOST_PORTS
from federation.fleet.operations.networks import Wish
from federation.widgets import DayInput
from routing.upstream.ports import read_ports

PLAIN = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}


class SiteChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic for the checker alone
    def label_from_instance(self, obj: Site) -> str:
        return f"{obj.institution.short_name} · {obj.name}"


class NetworkForm(forms.Form):
    site = SiteChoice(
        Site.objects.none(),
        label=gettext_lazy("Site"),
        empty_label=None,
        help_text=gettext_lazy("Every server of this site may then be reached in the network."),
    )
    network = forms.CharField(
        max_length=43,
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Network"),
        help_text=gettext_lazy(
            "As 10.2.0.0/24, or the address of one machine. As small as it can be: at most a /16 of IPv4, a /48 "
            "of IPv6."
        ),
    )
    ports = forms.CharField(
        max_length=100,
        initial="443, 8000",
        widget=forms.TextInput(attrs=PLAIN),
        label=gettext_lazy("Ports"),
        help_text=gettext_lazy("On which your servers listen, as 443, 8000-8003."),
    )
    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Why the router is to go there, and by which way: a VPN, a VLAN."),
    )
    until = forms.DateField(
        required=False,
        widget=DayInput,
        input_formats=["%Y-%m-%d"],
        label=gettext_lazy("Last day"),
        help_text=gettext_lazy(
            "Empty: as long as it is needed. Either side may end it at any time."
        ),
    )

    def __init__(self, *arguments: object, sites: QuerySet[Site], **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        cast("SiteChoice", self.fields["site"]).queryset = sites

    def clean_ports(self) -> list[int]:
        try:
            ports = read_ports(self.cleaned_data["ports"])
        except ValueError:
            raise ValidationError(
                _("Ports are numbers from 1 to 65535, as 443, 8000-8003.")
            ) from None
        if len(ports) > MOST_PORTS:
            raise ValidationError(_("At most %(count)s ports.") % {"count": MOST_PORTS})
        return sorted(ports)

    def wish(self) -> Wish:
        until: date | None = self.cleaned_data["until"]
        return Wish(
            self.cleaned_data["network"],
            self.cleaned_data["ports"],
            self.cleaned_data["reason"],
            until,
        )


class AnswerForm(forms.Form):
    answer = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The institution’s IT department gets it by e-mail."),
    )
