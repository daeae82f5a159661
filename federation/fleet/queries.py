"""Reads about servers that several pages share."""

from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from federation.catalogue.models import AIModel
from federation.fleet.enums import FormState, RunState, SiteGrantState
from federation.fleet.models import (
    ConformityRun,
    InferenceServer,
    Site,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.people.enums import Role
from federation.people.models import User
from routing.core.conformity import Check, RunKind
from routing.core.enums import LifecycleStage, ServerState
from routing.upstream.addresses import canonical
from routing.upstream.egress import Grants
from routing.upstream.ranges import read_range


def lending_institutions(user: User) -> QuerySet[Institution]:
    """Return the approved contributors whose servers `user` may offer, by name."""
    contributes = Membership.objects.filter(
        institution=OuterRef("pk"), state=MembershipState.APPROVED, is_contributor=True
    )
    rows = Institution.objects.filter(Exists(contributes)).order_by("short_name")
    if user.has_role(Role.FEDERATION_ADMIN):
        return rows
    return rows.filter(pk__in=user.institution_ids(Role.MEMBER_DSI))


def drafts_of(user: User) -> QuerySet[TechnicalForm]:
    """Return the drafts that `user` may go on with."""
    drafts = TechnicalForm.objects.for_user(user).filter(state=FormState.DRAFT)
    return drafts.filter(institution__in=lending_institutions(user)).select_related("institution")


def servers_to_decide() -> QuerySet[InferenceServer]:
    """Return what waits for the federation: servers in staging, then those that are still looked at."""
    states = (ServerState.STAGING, ServerState.SUBMITTED)
    rows = InferenceServer.objects.filter(state__in=states)
    return rows.select_related("site__institution", "technical_form__model").order_by(
        "state", "created_at"
    )


def newest_runs(server: InferenceServer) -> list[ConformityRun]:
    """Return the newest run of each kind that the server has."""
    rows = server.runs.select_related("deployment__version__model").prefetch_related("lines")
    runs = (rows.filter(kind=kind).first() for kind in RunKind)
    return [run for run in runs if run is not None]


def failing_servers(user: User) -> set[UUID]:
    """Return those of the servers whose reports `user` may read of which the newest checks have failed."""
    newest = ConformityRun.objects.filter(server=OuterRef("pk"), kind=RunKind.CONFORMITY)
    rows = InferenceServer.objects.for_user(user).present()
    failed = rows.annotate(newest=Subquery(newest.concluded().values("state")[:1]))
    return set(failed.filter(newest=RunState.FAILED).values_list("pk", flat=True))


def granted_networks(site: Site) -> Grants:
    """Return the private networks that the router is let into for a site, as the guard reads them."""
    grants = SiteEgressGrant.objects.in_force().filter(site=site).order_by("pk")
    return tuple((grant.network, port) for grant in grants for port in grant.ports)


def sites_to_ask_for(user: User) -> QuerySet[Site]:
    """Return the sites for which `user` may ask that the router be let into a network."""
    sites = Site.objects.filter(institution__in=lending_institutions(user))
    return sites.select_related("institution").order_by("institution__short_name", "name")


def networks_to_decide() -> QuerySet[SiteEgressGrant]:
    """Return what IT departments have asked for."""
    return SiteEgressGrant.objects.filter(state=SiteGrantState.ASKED)


def reached_through(grant: SiteEgressGrant) -> list[tuple[InferenceServer, bool]]:
    """Return the servers of the site, and of each whether its newest report found it in this network."""
    servers = InferenceServer.objects.present().filter(site=grant.site)
    return [(server, _was_found_in(grant, server)) for server in servers]


def _was_found_in(grant: SiteEgressGrant, server: InferenceServer) -> bool:
    run = server.runs.filter(kind=RunKind.CONFORMITY).concluded().first()
    line = run.lines.filter(check_name=Check.CONNECTION).first() if run else None
    figures = line.figures if line else {}
    if figures.get("port") not in grant.ports:
        return False
    return canonical(str(figures["address"])) in read_range(grant.network)


def models_waiting(server: InferenceServer) -> list[AIModel]:
    """Return the models of a server that not every key may ask yet: proposed, or on trial."""
    waiting = [LifecycleStage.PROPOSED.value, LifecycleStage.STAGING.value]
    models = AIModel.objects.filter(versions__deployments__in=server.deployments.live())
    return list(models.filter(stage__in=waiting).distinct().order_by("slug"))
