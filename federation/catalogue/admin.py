"""Models, versions and aliases in Django's admin."""

from django.contrib import admin

from federation.admin import ReadOnlyAdmin
from federation.catalogue.models import AIModel, Alias, ModelVersion


@admin.register(AIModel)
class AIModelAdmin(ReadOnlyAdmin):
    list_display = ("slug", "display_name", "publisher", "licence", "category", "stage", "strategy")
    list_filter = ("stage", "category")
    search_fields = ("slug", "display_name")


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("model", "revision", "quantisation", "context_length", "current")
    list_filter = ("current",)
    list_select_related = ("model",)


@admin.register(Alias)
class AliasAdmin(ReadOnlyAdmin):
    list_display = ("name", "model", "successor", "sunset")
    list_select_related = ("model", "successor")
