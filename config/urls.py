"""The portal's addresses. `/v1` and the other paths of the interface never come here: the router answers them."""

from django.contrib import admin
from django.urls import include, path

from config.api import api
from federation.catalogue.views.facts import facts
from federation.catalogue.views.minimum import minimum_service
from federation.people.views import choose_language

handler400 = "dashboards.errors.bad_request"
handler403 = "dashboards.errors.permission_denied"
handler429 = "dashboards.errors.too_many_requests"
handler404 = "dashboards.errors.page_not_found"
handler500 = "dashboards.errors.server_error"

urlpatterns = [
    path("", include("dashboards.urls")),
    path("keys/", include("federation.access.urls")),
    path("cards/<path:name>/", facts, name="card_facts"),
    path("routing/", include("federation.catalogue.urls")),
    path("lifecycle/", include("federation.catalogue.life_urls")),
    path("minimum/<path:name>/", minimum_service, name="minimum_service"),
    path("servers/", include("federation.fleet.urls")),
    path("", include("federation.members.urls")),
    path("", include("billing.urls")),
    path("manage/api/", api.urls),
    path("people/", include("federation.people.urls")),
    path("sign-in/", include("federation.identity.urls")),
    path("demo/", include("config.demo.urls")),
    path("account/", include("federation.people.account_urls")),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
    path("account/", include("federation.identity.account_urls")),
    path("language/", choose_language, name="set_language"),
    path("register/", admin.site.urls),
]
