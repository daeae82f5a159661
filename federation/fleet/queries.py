"""Reads about servers that several pages share."""

from django.db.models import Exists, OuterRef, QuerySet

from federation.fleet.enums import FormState
from federation.fleet.models import ConformityRun, InferenceServer, TechnicalForm
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.people.enums import Role
from federation.people.models import User
from routing.core.conformity import RunKind
from routing.core.enums import ServerState


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
    runs = (server.runs.filter(kind=kind).prefetch_related("lines").first() for kind in RunKind)
    return [run for run in runs if run is not None]
