"""Who may create applications, issue and revoke keys, and up to which class."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.access.models import ApiKey, Application, LimitOwner
from federation.journal.actors import Actor
from federation.members.models import Institution
from federation.members.policies import check_charter_accepted, check_is_member
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.policy import refuse_unless
from routing.core.enums import PriorityClass

HIGHEST_CLASS = {
    Role.MEMBER_DSI: PriorityClass.P5,
    Role.PROJECT_OWNER: PriorityClass.P4,
    Role.USER: PriorityClass.P3,
}
"""By role at the institution. An IT department decides which of its applications are interactive; the
router is fair between institutions of a class, so this takes nothing from the others."""


def highest_class(by: Actor, institution: Institution) -> PriorityClass | None:
    """Return the highest class of keys that `by` may issue for the institution, None for no key at all."""
    if is_federation_admin(by):
        return PriorityClass.P5
    classes = [
        highest for role, highest in HIGHEST_CLASS.items() if holds(by, institution.pk, role)
    ]
    return max(classes, default=None)


def check_create_application(
    by: Actor, institution: Institution, owner: User | None = None
) -> None:
    """One's own application with any of the roles above; for somebody else, as the IT department."""
    if not is_federation_admin(by) and not holds(by, institution.pk, Role.MEMBER_DSI):
        refuse_unless(highest_class(by, institution) is not None and owner in (None, by))
    check_is_member(institution)
    if owner is not None and institution.pk not in owner.institution_ids():
        raise ValidationError(
            _("The owner has no role at this institution."), code="owner_elsewhere"
        )


def check_manage_application(by: Actor, application: Application) -> None:
    """Its owner, as long as the institution still gives that person a role, and the IT department."""
    institution_id = application.institution_id
    refuse_unless(
        is_federation_admin(by)
        or holds(by, institution_id, Role.MEMBER_DSI)
        or (application.owner == by and holds(by, institution_id, *HIGHEST_CLASS))
    )


def check_issue_key(
    by: Actor, application: Application, priority: PriorityClass = PriorityClass.P1
) -> None:
    check_manage_application(by, application)
    highest = highest_class(by, application.institution)
    refuse_unless(highest is not None and priority <= highest)
    check_is_member(application.institution)
    check_charter_accepted(by)


def check_change_key(by: Actor, key: ApiKey, priority: PriorityClass) -> None:
    """Who may issue it as it shall be may change it, until it is revoked."""
    check_issue_key(by, key.application, priority)
    if key.revoked_at is not None:
        raise ValidationError(_("This key is revoked already."), code="revoked")


def check_revoke_key(by: Actor, key: ApiKey) -> None:
    check_manage_application(by, key.application)
    if key.revoked_at is not None:
        raise ValidationError(_("This key is revoked already."), code="revoked")


def check_set_limit(by: Actor, owner: LimitOwner) -> None:
    """Each from one level above: whom a limit binds does not lift it.

    The federation bounds institutions, an IT department its applications, who manages an application its keys.
    """
    match owner:
        case ApiKey():
            check_manage_application(by, owner.application)
        case Application():
            refuse_unless(
                is_federation_admin(by) or holds(by, owner.institution_id, Role.MEMBER_DSI)
            )
        case Institution():
            refuse_unless(is_federation_admin(by))
