"""What servers show of a model on trial, before it goes into production."""

from django.db.models import Q
from django.urls import reverse
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
            any(_has_passed(server, model) for server in servers),
            _(
                "None of its servers has passed its newest checks of it: run them on the server’s page."
            ),
            links=tuple(
                (server.name, reverse("server_report", args=[server.pk])) for server in servers
            ),
        ),
    ]


def _has_passed(server: InferenceServer, model: AIModel) -> bool:
    """Say whether the newest checks of this model there were passed; the server's others are no matter of its."""
    of_it = Q(deployment__version__model=model) | Q(deployment=None)
    runs = ConformityRun.objects.filter(of_it, server=server, kind=RunKind.CONFORMITY)
    newest = runs.concluded().first()
    return newest is not None and newest.state == RunState.PASSED
