"""Writes about institutions and their memberships."""

from django.db import transaction

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members import policies
from federation.members.enums import TRANSITIONS, MembershipState
from federation.members.models import Institution, Membership
from federation.transitions import check_transition


@transaction.atomic
def add_institution(
    *, by: Actor, slug: str, name: str, short_name: str = "", uai: str = "", siret: str = ""
) -> Institution:
    """Write an institution into the register; it is no member yet."""
    policies.check_decide_membership(by)
    institution = Institution(
        slug=slug,
        name=name.strip(),
        short_name=short_name.strip() or name.strip()[:40].rstrip(),
        uai=uai,
        siret=siret,
    )
    institution.full_clean()
    institution.save()
    record(by=by, verb="members.add_institution", obj=institution, institution=institution)
    return institution


@transaction.atomic
def propose_membership(
    *, by: Actor, institution: Institution, is_contributor: bool, is_consumer: bool
) -> Membership:
    """Make the institution a candidate."""
    policies.check_decide_membership(by)
    membership = Membership(
        institution=institution, is_contributor=is_contributor, is_consumer=is_consumer
    )
    membership.full_clean()
    membership.save()
    record(
        by=by,
        verb="members.propose_membership",
        obj=membership,
        institution=institution,
        diff={"is_contributor": is_contributor, "is_consumer": is_consumer},
    )
    return membership


@transaction.atomic
def change_membership_state(
    *, by: Actor, membership: Membership, state: MembershipState
) -> Membership:
    """Approve, suspend or end a membership. Raises `ForbiddenTransitionError`."""
    policies.check_decide_membership(by)
    locked = Membership.objects.select_for_update().get(pk=membership.pk)
    before = MembershipState(locked.state)
    check_transition(TRANSITIONS, before, state)
    locked.state = state
    locked.save(update_fields=["state"])
    record(
        by=by,
        verb="members.change_membership_state",
        obj=locked,
        institution=locked.institution,
        diff={"state": [before, state]},
    )
    return locked
