"""Small forms of a server's page: another key, a time away, a permission, a decision."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy


class KeyForm(forms.Form):
    key = forms.CharField(
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        label=gettext_lazy("New access key"),
        help_text=gettext_lazy(
            "Set it on the server first, beside the old one where the engine takes several. It is kept "
            "sealed and never shown. The router tries it at once; a key that is refused changes nothing."
        ),
    )


def _moment(**arguments: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        **arguments,
    )


class MaintenanceForm(forms.Form):
    starts_at = _moment(
        label=gettext_lazy("From"),
        help_text=gettext_lazy("The server then finishes what runs, and takes nothing new."),
    )
    ends_at = _moment(
        required=False,
        label=gettext_lazy("Until"),
        help_text=gettext_lazy(
            "It is back by itself. Empty: it stays away until you take it back."
        ),
    )
    reason = forms.CharField(required=False, max_length=200, label=gettext_lazy("Reason"))

    def times(self) -> tuple[datetime, datetime | None]:
        return self.cleaned_data["starts_at"], self.cleaned_data["ends_at"]


class GrantForm(forms.Form):
    address = forms.GenericIPAddressField(label=gettext_lazy("Address"))
    port = forms.IntegerField(min_value=1, max_value=65535, label=gettext_lazy("Port"))
    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Why the router may go there: it stands in the register."),
    )


class OfferForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        label=gettext_lazy("Where the committee has decided about it"),
        help_text=gettext_lazy(
            "Such as a meeting and its minutes: it stands in the model’s history."
        ),
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The institution’s IT department gets it by e-mail."),
    )
