"""Federations and services in Django's admin, to be read."""

from django.contrib import admin

from federation.admin import ReadOnlyAdmin
from federation.identity.models import MetadataSource, SignInService


@admin.register(MetadataSource)
class MetadataSourceAdmin(ReadOnlyAdmin):
    list_display = ("name", "url", "found", "refreshed_at", "valid_until", "failure", "ended_at")


@admin.register(SignInService)
class SignInServiceAdmin(ReadOnlyAdmin):
    hidden = ("sealed_secret", "certificates")
    list_display = ("service_id", "protocol", "source", "institution", "gone_at")
    list_filter = ("protocol",)
    list_select_related = ("source", "institution")
