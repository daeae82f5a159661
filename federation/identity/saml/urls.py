"""One address for answers and one for our metadata; logout at a provider is not offered."""

from allauth.socialaccount.providers.saml import views
from django.urls import path

from federation.identity.saml.views import no_logout, our_metadata

ORGANISATION = "saml/<organization_slug>"
urlpatterns = [
    path(f"{ORGANISATION}/login/", views.login, name="saml_login"),
    path(f"{ORGANISATION}/acs/", views.acs, name="saml_acs"),
    path(f"{ORGANISATION}/acs/finish/", views.finish_acs, name="saml_finish_acs"),
    path(f"{ORGANISATION}/sls/", no_logout, name="saml_sls"),
    path(f"{ORGANISATION}/metadata/", our_metadata, name="saml_metadata"),
]
