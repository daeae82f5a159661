"""What an act would break, said before it is done: critical models that would be left below their minimum."""

from typing import NamedTuple

from federation.catalogue.models import AIModel, MinimumService
from federation.fleet.models import Deployment, InferenceServer
from federation.members.enums import MembershipState
from federation.members.models import Membership
from federation.people.models import User
from routing.core.enums import ServerState


class Breach(NamedTuple):
    """What a critical model would have left, of what it must have."""

    model: AIModel
    minimum: MinimumService
    servers: int
    sites: int


def breaches_without(user: User, server: InferenceServer) -> list[Breach]:
    """Return the critical models that would be below their minimum without `server`, as the register has it.

    A server that is out of service already breaks nothing. Health is the router's to know: there may be fewer.
    """
    if server.state != ServerState.LIVE:
        return []
    rows = (
        MinimumService.objects.for_user(user)
        .in_force()
        .filter(model__versions__deployments__in=Deployment.objects.live().filter(server=server))
        .select_related("model", "fallback")
        .distinct()
    )
    found = [_left(row, server) for row in rows]
    return [
        each
        for each in found
        if each.servers < each.minimum.servers or each.sites < each.minimum.sites
    ]


def _left(minimum: MinimumService, server: InferenceServer) -> Breach:
    contributors = Membership.objects.filter(state=MembershipState.APPROVED, is_contributor=True)
    left = (
        Deployment.objects.live()
        .filter(version__model=minimum.model, server__state=ServerState.LIVE)
        .filter(server__site__institution__in=contributors.values("institution"))
        .exclude(server=server)
        .exclude(server__guest_rules__blocked_models=minimum.model)
    )
    pairs = set(left.values_list("server_id", "server__site_id"))
    return Breach(
        minimum.model,
        minimum,
        servers=len({server_id for server_id, _ in pairs}),
        sites=len({site_id for _, site_id in pairs}),
    )
