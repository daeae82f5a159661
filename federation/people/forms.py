"""What the first administrator types. The form parses; the operation decides and writes."""

from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from federation.people.models import User
from federation.people.operations import claim_first_admin

OF_THE_LINK = {"link_invalid", "administrator_exists"}


class FirstAdminForm(forms.Form):
    name = forms.CharField(
        max_length=150,
        label=gettext_lazy("Your name"),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("You sign in with it."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=4096,
        help_text=password_validators_help_text_html,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("The same password again"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise ValidationError(_("The two passwords differ."), code="passwords_differ")
        return again

    def claim(self, token: str) -> User | None:
        """Open the account; None, with the errors on the form, when that is refused."""
        given = self.cleaned_data
        try:
            return claim_first_admin(
                token=token,
                email=given["email"],
                name=given["name"],
                password=given["password"],
                language=(get_language() or "fr")[:2],
            )
        except ValidationError as error:
            self._tell(error)
            return None

    def _tell(self, error: ValidationError) -> None:
        """Put errors of the operation beside the fields they are about; a password's have no field."""
        if hasattr(error, "error_dict"):
            for field, errors in error.error_dict.items():
                self.add_error(field if field in self.fields else None, errors)
        elif {one.code for one in error.error_list} & OF_THE_LINK:
            self.add_error(None, error)
        else:
            self.add_error("password", error)
