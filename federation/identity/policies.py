"""Who decides whom the federation believes about people."""

from federation.identity.models import SignInService
from federation.journal.actors import Actor
from federation.people.enums import Role
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless


def check_keep_services(by: Actor) -> None:
    """Whoever is believed opens accounts and gives roles: the federation's administrators decide it."""
    refuse_unless(is_federation_admin(by))


def check_open_to_students(by: Actor, service: SignInService) -> None:
    """The federation, and the IT department of the institution whose people they are."""
    own = service.institution_id
    refuse_unless(is_federation_admin(by) or (own is not None and holds(by, own, Role.MEMBER_DSI)))


can_keep_services = asking(check_keep_services)
can_open_to_students = asking(check_open_to_students)
