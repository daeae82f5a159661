"""What servers show of a model on trial, before it goes into production."""

from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel
from federation.catalogue.readiness import Point
from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, Deployment, InferenceServer
from federation.members.enums import MembershipState
from federation.members.models import Membership
from routing.core.conformity import RunKind
from routing.core.enums import ServerState


def points_of_servers(model: AIModel) -> list[Point]:
    """A server in service at an approved contributor, and one of these whose newest checks were passed."""
    members = Membership.objects.filter(state=MembershipState.APPROVED, is_contributor=True)
    running = Deployment.objects.live().filter(version__model=model)
    servers = InferenceServer.objects.filter(
        pk__in=running.values("server_id"),
        state=ServerState.LIVE,
        site__institution__in=members.values("institution"),
    )
    return [
        Point(
            _("A server in service"),
            servers.exists(),
            _("No server in service has it: accept a technical form for it first."),
        ),
        Point(
            _("A report that is green"),
            any(_has_passed(server) for server in servers),
            _("None of its servers has passed its newest checks: run them on the server’s page."),
        ),
    ]


def _has_passed(server: InferenceServer) -> bool:
    runs = ConformityRun.objects.filter(server=server, kind=RunKind.CONFORMITY)
    newest = runs.concluded().first()
    return newest is not None and newest.state == RunState.PASSED
