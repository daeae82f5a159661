"""Pages to read: home, servers, models, usage."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
