"""What somebody types who has their account erased."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class ErasureForm(forms.Form):
    """The account's own address, letter by letter: nobody erases themselves by a slip."""

    email = forms.CharField(
        max_length=254,
        label=gettext_lazy("The e-mail address of your account"),
        help_text=gettext_lazy("Type it in full: what follows cannot be undone."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = email

    def clean_email(self) -> str:
        typed: str = self.cleaned_data["email"].strip()
        if typed.lower() != self._address.lower():
            raise ValidationError(_("This is not the address of your account."), code="other")
        return typed
