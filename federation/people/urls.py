"""Accounts: the first administrator's one-time link, and the page that asks for a second factor."""

from django.urls import path

from federation.people.factor_views import second_factor
from federation.people.views import first_admin

urlpatterns = [
    path("first-admin/<str:token>/", first_admin, name="first_admin"),
    path("second-factor/", second_factor, name="second_factor"),
]
