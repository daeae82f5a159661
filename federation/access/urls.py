"""My keys: list, create, show once, revoke."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
