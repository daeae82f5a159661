"""Signing in by one's institution, and whom the federation believes."""

from django.urls import path

from federation.identity.views import discovery, services

urlpatterns = [
    path("", discovery.sign_in, name="sign_in"),
    path("again/", discovery.sign_in_again, name="sign_in_again"),
    path("<uuid:service_id>/", discovery.choose, name="choose_service"),
    path("services/", services.services, name="sign_in_services"),
    path("services/federations/new/", services.new_source, name="new_metadata_source"),
    path(
        "services/federations/<uuid:source_id>/refresh/", services.refresh, name="refresh_metadata"
    ),
    path(
        "services/federations/<uuid:source_id>/stop/",
        services.stop_source,
        name="stop_metadata_source",
    ),
    path("services/openid/new/", services.new_oidc_service, name="new_oidc_service"),
    path("services/<uuid:service_id>/", services.service_page, name="sign_in_service"),
]
