"""Forms of second factors where allauth's are not enough: a code opens once, and a passkey says what it is for."""

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as allauth_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.core.cache import cache
from django.utils.translation import gettext_lazy

from federation.people.models import User


class OnceMixin:
    """allauth forgets a used code after one period; with a tolerance it would be good for two more."""

    user: User
    authenticator: Authenticator

    def clean_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]  # of the form beside it
        lives = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
        key = f"one-time-code:{self.user.pk}:{normalize_user_code(code)}"
        if self.authenticator.type == Authenticator.Type.TOTP and not cache.add(key, True, lives):
            raise get_adapter().validation_error("incorrect_code")
        return code


class AuthenticateForm(OnceMixin, allauth_forms.AuthenticateForm):
    """The code at a sign-in."""


class ReauthenticateForm(OnceMixin, allauth_forms.ReauthenticateForm):
    """The code before something sensitive."""


class AddPasskeyForm(AddWebAuthnForm):
    name = forms.CharField(
        required=False,
        max_length=60,
        label=gettext_lazy("Its name"),
        help_text=gettext_lazy("To tell it from others, such as: telephone, laptop, key ring."),
    )
    passwordless = forms.BooleanField(
        required=False,
        initial=True,
        label=gettext_lazy("Sign in with it alone, without the password"),
        help_text=gettext_lazy(
            "Your device then asks for your fingerprint, your face or its code. Untick this for a "
            "simple security key: it comes after the password."
        ),
    )


class EditPasskeyForm(EditWebAuthnForm):
    name = forms.CharField(max_length=60, label=gettext_lazy("Its name"))
