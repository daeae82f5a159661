"""Who may bring, change and stop servers."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.fleet.enums import SERVER_TRANSITIONS
from federation.fleet.models import InferenceServer
from federation.journal.actors import Actor
from federation.members.models import Institution
from federation.members.policies import check_contributes
from federation.people.enums import Role
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless
from federation.transitions import check_transition
from routing.core.enums import ServerState

FEDERATION_DECIDES = frozenset(
    {(ServerState.STAGING, ServerState.LIVE), (ServerState.SUSPENDED, ServerState.LIVE)}
)
"""Steps that an institution cannot take alone: into service at first, and back after a suspension."""


def check_register_server(by: Actor, institution: Institution) -> None:
    """The federation registers servers; only approved contributors have any."""
    refuse_unless(is_federation_admin(by))
    check_contributes(institution)


def check_manage_server(by: Actor, server: InferenceServer) -> None:
    """The federation, and the IT department of the server's institution, until the server is retired."""
    refuse_unless(is_federation_admin(by) or holds(by, server.site.institution_id, Role.MEMBER_DSI))
    if server.state == ServerState.RETIRED:
        raise ValidationError(_("This server is retired."), code="retired")


can_manage_server = asking(check_manage_server)


def check_change_server_state(by: Actor, server: InferenceServer, state: ServerState) -> None:
    check_manage_server(by, server)
    step = (ServerState(server.state), state)
    refuse_unless(step not in FEDERATION_DECIDES or is_federation_admin(by))
    check_transition(SERVER_TRANSITIONS, *step)


def check_grant_egress(by: Actor) -> None:
    """Only the federation lets its router into a private network: not the one who gains by it."""
    refuse_unless(is_federation_admin(by))


def check_label_site(by: Actor) -> None:
    """The federation, which has seen the certificate: whoever gains by a label does not give it."""
    refuse_unless(is_federation_admin(by))
