"""allauth's addresses around services that vouch for people; pages of its own that nothing here leads to lead on."""

from allauth.socialaccount import views
from django.urls import include, path
from django.views.generic.base import RedirectView

urlpatterns = [
    path("", include("federation.identity.saml.urls")),
    path("", include("federation.identity.oidc.urls")),
    path("3rdparty/cancelled/", views.login_cancelled, name="socialaccount_login_cancelled"),
    path("3rdparty/error/", views.login_error, name="socialaccount_login_error"),
    path(
        "3rdparty/signup/",
        RedirectView.as_view(pattern_name="sign_in"),
        name="socialaccount_signup",
    ),
    path(
        "3rdparty/",
        RedirectView.as_view(pattern_name="account_email"),
        name="socialaccount_connections",
    ),
]
