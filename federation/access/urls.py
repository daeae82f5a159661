"""My keys: list, make and show once, limit, revoke."""

from django.urls import path

from federation.access import views

urlpatterns = [
    path("", views.keys, name="keys"),
    path("new/", views.new_key, name="new_key"),
    path("<uuid:key_id>/limits/", views.limits, name="key_limits"),
    path("<uuid:key_id>/revoke/", views.revoke, name="revoke_key"),
]
