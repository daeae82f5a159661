"""Accounts and roles in Django's admin."""

from django.contrib import admin

from federation.admin import ReadOnlyAdmin
from federation.people.models import RoleGrant, User


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    hidden = ("password", "is_superuser", "groups", "user_permissions")
    list_display = ("name", "email", "kind", "language", "is_active", "is_staff", "last_login")
    list_filter = ("kind", "is_active", "is_staff")
    search_fields = ("name", "email")


@admin.register(RoleGrant)
class RoleGrantAdmin(ReadOnlyAdmin):
    list_display = ("user", "role", "institution_id", "created_at")
    list_filter = ("role",)
    list_select_related = ("user",)
