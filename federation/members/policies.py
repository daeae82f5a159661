"""Who may decide about members, and what an institution's membership allows."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.members.enums import MembershipState
from federation.members.models import Institution
from federation.people.policies import is_federation_admin
from federation.policy import refuse_unless


def check_decide_membership(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_contributes(institution: Institution) -> None:
    """Raise unless the institution is an approved contributor: it may bring servers."""
    _check_approved(institution, is_contributor=True)


def check_is_member(institution: Institution) -> None:
    """Raise unless the institution is an approved member: contributors may consume too."""
    _check_approved(institution)


def _check_approved(institution: Institution, **kind: bool) -> None:
    approved = institution.memberships.filter(state=MembershipState.APPROVED, **kind)
    if not approved.exists():
        raise ValidationError(
            _("%(institution)s is no approved contributor of the federation.")
            if kind
            else _("%(institution)s is no approved member of the federation."),
            code="not_approved",
            params={"institution": institution.name},
        )
