"""Who may manage people; and the questions about roles that every other policy asks."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.journal.actors import Actor, is_operator
from federation.people.enums import Role
from federation.people.models import RoleGrant, User
from federation.policy import asking, refuse_unless


def is_federation_admin(by: Actor) -> bool:
    """Whether `by` decides for the whole federation: an administrator, or an operator's command."""
    return is_operator(by) or (isinstance(by, User) and by.has_role(Role.FEDERATION_ADMIN))


def holds(by: Actor, institution_id: UUID, *roles: str) -> bool:
    """Whether `by` is a person with one of `roles` at this institution; with none named, any role."""
    return isinstance(by, User) and institution_id in by.institution_ids(*roles)


def check_manage_people(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_make_first_admin_link(by: Actor) -> None:
    refuse_unless(is_operator(by))
    check_no_federation_admin()


def check_no_federation_admin() -> None:
    """Raise `ValidationError` once the federation has an administrator."""
    administrators = RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN, user__is_active=True)
    if administrators.exists():
        raise ValidationError(
            _("The federation already has an administrator."), code="administrator_exists"
        )


can_be_first_admin = asking(check_no_federation_admin)
