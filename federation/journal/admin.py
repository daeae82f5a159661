"""The journal in Django's admin."""

from django.contrib import admin

from federation.admin import ReadOnlyAdmin
from federation.journal.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("seq", "at", "verb", "object_type", "object_id", "actor_kind", "actor_command")
    list_filter = ("verb", "actor_kind")
    search_fields = ("object_id",)
    date_hierarchy = "at"
