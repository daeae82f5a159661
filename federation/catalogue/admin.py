"""The catalogue in Django's admin, to read: models move along their life on pages of their own."""

from django.contrib import admin

from federation.admin import ReadOnlyAdmin
from federation.catalogue.models import (
    AIModel,
    Alias,
    Announcement,
    MinimumService,
    MinimumServiceAlarm,
    ModelVersion,
    Notice,
    Proposal,
    RoutingPolicy,
    StageChange,
)


@admin.register(AIModel)
class AIModelAdmin(ReadOnlyAdmin):
    list_display = ("slug", "display_name", "publisher", "licence", "category", "stage")
    list_filter = ("stage", "category")
    search_fields = ("slug", "display_name")


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ("model", "proposed_by", "institution", "created_at", "withdrawn_at")
    list_select_related = ("model", "proposed_by", "institution")


@admin.register(StageChange)
class StageChangeAdmin(ReadOnlyAdmin):
    list_display = ("model", "before", "after", "decided_by", "created_at")
    list_filter = ("after",)
    list_select_related = ("model", "decided_by")


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnlyAdmin):
    list_display = ("model", "alias", "kind", "ends_on", "created_at")
    list_filter = ("kind",)
    list_select_related = ("model", "alias")


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("announcement", "person", "created_at", "sent_at")
    list_select_related = ("announcement__model", "announcement__alias", "person")


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("model", "revision", "quantisation", "context_length", "current")
    list_filter = ("current",)
    list_select_related = ("model",)


@admin.register(Alias)
class AliasAdmin(ReadOnlyAdmin):
    list_display = ("name", "model", "successor", "sunset", "removed_at")
    list_select_related = ("model", "successor")


@admin.register(RoutingPolicy)
class RoutingPolicyAdmin(ReadOnlyAdmin):
    list_display = ("model", "number", "setting", "longest_wait", "forward_priority", "current")
    list_filter = ("current", "setting")
    list_select_related = ("model",)


@admin.register(MinimumService)
class MinimumServiceAdmin(ReadOnlyAdmin):
    list_display = ("model", "number", "servers", "sites", "protected_class", "fallback", "current")
    list_filter = ("current",)
    list_select_related = ("model", "fallback")


@admin.register(MinimumServiceAlarm)
class MinimumServiceAlarmAdmin(ReadOnlyAdmin):
    list_display = ("model", "began_at", "ended_at", "servers", "sites")
    list_select_related = ("model",)
