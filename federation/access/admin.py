"""Applications, keys and limits in Django's admin; its actions revoke keys and remove limits."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.models import ApiKey, Application, Limit, Trial
from federation.access.operations import remove_limit, revoke_key
from federation.admin import ReadOnlyAdmin, for_good
from federation.people.guards import signed_in


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    list_display = ("name", "institution", "owner", "created_at")
    list_filter = ("institution",)
    list_select_related = ("institution", "owner")
    search_fields = ("name",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    hidden = ("digest",)
    list_display = (
        "name",
        "prefix",
        "last4",
        "application",
        "priority",
        "routing_mode",
        "expires_at",
        "revoked_at",
        "last_used_on",
    )
    list_filter = ("priority", "application__institution")
    list_select_related = ("application",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    def named(self, row: ApiKey) -> str:
        return f"{row.application} · {row.name} ({row.prefix}…{row.last4})"

    @for_good(
        gettext_lazy("Revoke for good"),
        gettext_lazy(
            "Within a second every request with these keys is refused. Software that still uses them stops working."
        ),
    )
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        by, reason = signed_in(request), _("revoked by an administrator")
        self.call_for_each(request, keys, lambda key: revoke_key(by=by, key=key, reason=reason))


@admin.register(Trial)
class TrialAdmin(ReadOnlyAdmin):
    list_display = ("key", "model", "named_by", "created_at", "ended_at")
    list_select_related = ("key__application", "model", "named_by")


@admin.register(Limit)
class LimitAdmin(ReadOnlyAdmin):
    list_display = ("measure", "most", "key", "application", "institution", "removed_at")
    list_filter = ("measure", "institution")
    list_select_related = ("key", "application", "institution")
    actions = ("remove",)

    @for_good(
        gettext_lazy("Remove"),
        gettext_lazy("Within a second these limits hold no longer. They can be set anew."),
    )
    def remove(self, request: HttpRequest, limits: QuerySet[Limit]) -> None:
        by = signed_in(request)
        self.call_for_each(request, limits, lambda limit: remove_limit(by=by, limit=limit))
