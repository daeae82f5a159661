"""Sites, servers and what belongs to them in Django's admin; its actions end or resume them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from federation.admin import ReadOnlyAdmin, for_good
from federation.fleet.models import (
    ClientCertificate,
    Deployment,
    EgressGrant,
    EnergyProbe,
    InferenceServer,
    Site,
    SiteEgressGrant,
    UpstreamCredential,
)
from federation.fleet.operations.deployments import retire_deployment
from federation.fleet.operations.egress import revoke_egress
from federation.fleet.operations.servers import change_server_state
from federation.people.guards import signed_in
from routing.core.enums import ServerState

Servers = QuerySet[InferenceServer]


@admin.register(Site)
class SiteAdmin(ReadOnlyAdmin):
    list_display = ("name", "institution", "city", "pue", "labels")
    list_select_related = ("institution",)


@admin.register(InferenceServer)
class InferenceServerAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "site", "engine", "state", "max_parallel", "base_url")
    list_filter = ("state", "engine", "site__institution")
    list_select_related = ("site",)
    search_fields = ("slug", "name")
    actions = ("drain", "suspend", "resume", "retire")

    @admin.action(description=_("Drain: finish what runs, take nothing new"))
    def drain(self, request: HttpRequest, servers: Servers) -> None:
        self._move(request, servers, ServerState.DRAINING)

    @admin.action(description=_("Suspend at once"))
    def suspend(self, request: HttpRequest, servers: Servers) -> None:
        self._move(request, servers, ServerState.SUSPENDED)

    @admin.action(description=_("Take back into service"))
    def resume(self, request: HttpRequest, servers: Servers) -> None:
        self._move(request, servers, ServerState.LIVE)

    @for_good(
        _("Retire for good, with its access key and network permissions"),
        _(
            "These servers get no more requests. Their models are taken off, their access keys and "
            "network permissions end. To be lent again, a server has to be registered anew."
        ),
    )
    def retire(self, request: HttpRequest, servers: Servers) -> None:
        self._move(request, servers, ServerState.RETIRED)

    def _move(self, request: HttpRequest, servers: Servers, state: ServerState) -> None:
        by = signed_in(request)
        self.call_for_each(
            request, servers, lambda row: change_server_state(by=by, server=row, state=state)
        )


@admin.register(UpstreamCredential)
class UpstreamCredentialAdmin(ReadOnlyAdmin):
    hidden = ("ciphertext",)
    list_display = ("server", "valid_from", "valid_to")
    list_select_related = ("server",)


@admin.register(EgressGrant)
class EgressGrantAdmin(ReadOnlyAdmin):
    list_display = ("server", "address", "port", "granted_by", "reason", "revoked_at")
    list_select_related = ("server", "granted_by")
    actions = ("revoke",)

    def named(self, row: EgressGrant) -> str:
        return f"{row.server} · {row}"

    @for_good(
        _("Withdraw"),
        _(
            "The router no longer reaches these private addresses. To let it in again, a new permission "
            "has to be granted."
        ),
    )
    def revoke(self, request: HttpRequest, grants: QuerySet[EgressGrant]) -> None:
        by = signed_in(request)
        self.call_for_each(request, grants, lambda grant: revoke_egress(by=by, grant=grant))


@admin.register(EnergyProbe)
class EnergyProbeAdmin(ReadOnlyAdmin):
    list_display = ("server", "metric", "url", "unit", "scope", "idle_w", "ended_at")
    list_select_related = ("server",)


@admin.register(SiteEgressGrant)
class SiteEgressGrantAdmin(ReadOnlyAdmin):
    list_display = ("site", "network", "written_ports", "state", "until", "reason")
    list_filter = ("state",)
    list_select_related = ("site",)


@admin.register(ClientCertificate)
class ClientCertificateAdmin(ReadOnlyAdmin):
    hidden = ("ciphertext", "chain")
    list_display = ("server", "expires_at", "valid_from", "valid_to")
    list_select_related = ("server",)


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    list_display = ("server", "version", "served_name", "state")
    list_filter = ("state",)
    list_select_related = ("server", "version")
    actions = ("retire",)

    def named(self, row: Deployment) -> str:
        return f"{row.server} · {row}"

    @for_good(
        _("Take off the server"),
        _(
            "These servers get no more requests for these models. To serve one again, it has to be deployed anew."
        ),
    )
    def retire(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        by = signed_in(request)
        self.call_for_each(
            request, deployments, lambda row: retire_deployment(by=by, deployment=row)
        )
