"""Applications and keys in Django's admin; its action revokes keys."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.models import ApiKey, Application
from federation.access.operations import revoke_key
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
