"""Accounts: the first administrator's one-time link."""

from django.urls import path

from federation.people.views import first_admin

urlpatterns = [
    path("first-admin/<str:token>/", first_admin, name="first_admin"),
]
