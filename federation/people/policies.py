"""Who may manage people; and the questions about roles that every other policy asks."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.journal.actors import Actor, is_operator
from federation.people.enums import INSTITUTION_ROLES, AccountKind, Role
from federation.people.factors import has_factor
from federation.people.models import RoleGrant, User
from federation.policy import asking, refuse_unless

LAST_ONES: Mapping[Role, str | Promise] = {
    Role.FEDERATION_ADMIN: gettext_lazy(
        "This is the federation’s last administrator: name another one first."
    ),
    Role.MEMBER_DSI: gettext_lazy(
        "Nobody else speaks for the IT department: invite a successor first."
    ),
}
"""Roles that somebody has to hold, and what their last holder is told."""


def is_federation_admin(by: Actor) -> bool:
    """Whether `by` decides for the whole federation: an administrator, or an operator's command."""
    return is_operator(by) or (isinstance(by, User) and by.has_role(Role.FEDERATION_ADMIN))


def holds(by: Actor, institution_id: UUID, *roles: str) -> bool:
    """Whether `by` is a person with one of `roles` at this institution; with none named, any role."""
    return isinstance(by, User) and institution_id in by.institution_ids(*roles)


def check_manage_people(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_grant_role(by: Actor, user: User, role: str, institution_id: UUID | None) -> None:
    """The federation everywhere; an IT department another role to people of its own institution.

    Whoever has no role there yet is invited, so that nobody is drawn in without having agreed.
    """
    if is_federation_admin(by):
        return
    refuse_unless(
        institution_id is not None
        and role in INSTITUTION_ROLES
        and holds(by, institution_id, Role.MEMBER_DSI)
        and institution_id in user.institution_ids()
    )


def check_revoke_role(by: Actor, grant: RoleGrant) -> None:
    """Each level only its own; and the last who could give a role again keeps it."""
    institution_id = grant.institution_id
    refuse_unless(
        is_federation_admin(by)
        or (institution_id is not None and holds(by, institution_id, Role.MEMBER_DSI))
    )
    if refusal := _last_of_its_kind(grant):
        may_leave_none = grant.role == Role.MEMBER_DSI and is_federation_admin(by)
        if not may_leave_none:
            raise refusal


def check_leaves_no_gap(user: User, institutions: Iterable[UUID]) -> None:
    """Raise `ValidationError` while nobody else holds a role of theirs in the federation or at `institutions`."""
    if not user.is_active:
        return
    needed = Q(institution_id=None) | Q(institution_id__in=institutions)
    grants = RoleGrant.objects.filter(needed, user=user, role__in=LAST_ONES)
    if refusals := [refusal for grant in grants if (refusal := _last_of_its_kind(grant))]:
        raise ValidationError(refusals)


def _last_of_its_kind(grant: RoleGrant) -> ValidationError | None:
    same = RoleGrant.objects.filter(
        role=grant.role, institution_id=grant.institution_id, user__is_active=True
    )
    if grant.role not in LAST_ONES or same.exclude(pk=grant.pk).exists():
        return None
    return ValidationError(str(LAST_ONES[Role(grant.role)]), code="last_one")


def check_close_account(by: Actor, user: User) -> None:
    """The federation closes accounts; an IT department those of its own programs."""
    own = user.institution_ids()
    is_own_program = (
        user.kind == AccountKind.SERVICE
        and bool(own)
        and all(holds(by, institution_id, Role.MEMBER_DSI) for institution_id in own)
    )
    refuse_unless(is_federation_admin(by) or is_own_program)
    if not user.is_active:
        raise ValidationError(_("This account is closed already."), code="closed")
    administrators = RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN, user__is_active=True)
    if user.has_role(Role.FEDERATION_ADMIN) and administrators.count() == 1:
        raise ValidationError(str(LAST_ONES[Role.FEDERATION_ADMIN]), code="last_one")


def check_reset_second_factor(by: Actor, user: User) -> None:
    """The federation takes a lost factor off another's account, never off one's own: two have to agree to it."""
    refuse_unless(is_federation_admin(by) and by != user)
    if not has_factor(user):
        raise ValidationError(_("This account has no second factor."), code="no_factor")


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
can_revoke_role = asking(check_revoke_role)
can_reset_second_factor = asking(check_reset_second_factor)
can_close_account = asking(check_close_account)
