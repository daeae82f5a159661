"""Pages of one's account in front of allauth's own."""

from django.urls import path

from federation.people.factor_views import (
    log_in_with_passkey,
    remove_passkey,
    replace_totp,
    second_factor,
)

urlpatterns = [
    path("second-factor/", second_factor, name="second_factor"),
    path("2fa/webauthn/login/", log_in_with_passkey, name="mfa_login_webauthn"),
    path("2fa/totp/replace/", replace_totp, name="mfa_replace_totp"),
    path("2fa/webauthn/keys/<int:pk>/remove/", remove_passkey, name="mfa_remove_webauthn"),
]
