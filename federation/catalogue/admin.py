"""What the catalogue holds in Django's admin, to read; actions move models along their life."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from federation.admin import ReadOnlyAdmin, for_good
from federation.catalogue.models import (
    AIModel,
    Alias,
    MinimumService,
    MinimumServiceAlarm,
    ModelVersion,
    RoutingPolicy,
)
from federation.catalogue.operations.life import change_stage
from federation.people.guards import signed_in
from routing.core.enums import LifecycleStage

Models = QuerySet[AIModel]


@admin.register(AIModel)
class AIModelAdmin(ReadOnlyAdmin):
    list_display = ("slug", "display_name", "publisher", "licence", "category", "stage")
    list_filter = ("stage", "category")
    search_fields = ("slug", "display_name")
    actions = ("try_out", "put_into_production", "deprecate", "retire")

    @admin.action(description=_("Try out: into staging"))
    def try_out(self, request: HttpRequest, models: Models) -> None:
        self._move(request, models, LifecycleStage.STAGING)

    @admin.action(description=_("Put into production"))
    def put_into_production(self, request: HttpRequest, models: Models) -> None:
        self._move(request, models, LifecycleStage.PRODUCTION)

    @admin.action(description=_("Deprecate: still served, no longer recommended"))
    def deprecate(self, request: HttpRequest, models: Models) -> None:
        self._move(request, models, LifecycleStage.DEPRECATED)

    @for_good(
        _("Retire for good"),
        _("Nobody can ask these models any more, and they do not come back into the catalogue."),
    )
    def retire(self, request: HttpRequest, models: Models) -> None:
        self._move(request, models, LifecycleStage.RETIRED)

    def _move(self, request: HttpRequest, models: Models, stage: LifecycleStage) -> None:
        by = signed_in(request)
        self.call_for_each(request, models, lambda row: change_stage(by=by, model=row, stage=stage))


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("model", "revision", "quantisation", "context_length", "current")
    list_filter = ("current",)
    list_select_related = ("model",)


@admin.register(Alias)
class AliasAdmin(ReadOnlyAdmin):
    list_display = ("name", "model", "successor", "sunset")
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
