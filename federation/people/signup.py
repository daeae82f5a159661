"""What an account is opened with besides allauth's own fields. Without the models, which are not loaded yet."""

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy


class SignupForm(forms.Form):
    name = forms.CharField(
        max_length=150,
        label=gettext_lazy("Your name"),
        help_text=gettext_lazy("As colleagues know you."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ("name", "email", "password1", "password2")

    def signup(self, request: HttpRequest, user: object) -> None:
        """The account's adapter has kept the name already."""
