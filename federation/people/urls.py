"""Accounts: the first administrator's one-time link."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
