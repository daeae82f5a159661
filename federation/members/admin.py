"""Institutions and memberships in Django's admin."""

from django.contrib import admin

from federation.admin import ReadOnlyAdmin
from federation.members.models import Institution, Membership


@admin.register(Institution)
class InstitutionAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "uai", "siret", "weight")
    search_fields = ("slug", "name")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("institution", "state", "is_contributor", "is_consumer", "created_at")
    list_filter = ("state", "is_contributor", "is_consumer")
    list_select_related = ("institution",)
