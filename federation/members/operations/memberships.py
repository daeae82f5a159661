"""Writes about institutions and their memberships."""

from django.db import transaction

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members import mails, policies
from federation.members.enums import (
    TRANSITIONS,
    AgreementState,
    BallotState,
    MembershipState,
    SubjectKind,
)
from federation.members.models import (
    Agreement,
    Ballot,
    Candidacy,
    Institution,
    Membership,
    MembershipDecision,
)
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import take_offered_role
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
    *, by: Actor, membership: Membership, state: MembershipState, reason: str = ""
) -> Membership:
    """Approve, suspend or end a membership. Raises `ForbiddenTransitionError`.

    Whoever came by a candidacy is approved by the committee's ballot, not by one of its members alone.
    """
    policies.check_decide_membership(by)
    locked = Membership.objects.select_for_update().get(pk=membership.pk)
    policies.check_not_for_the_committee(by, locked, state)
    return move(by=by, locked=locked, state=state, reason=reason)


def move(*, by: Actor, locked: Membership, state: MembershipState, reason: str) -> Membership:
    """Take the step, with all that follows from it. The caller has locked the row and asked the policy."""
    before = MembershipState(locked.state)
    check_transition(TRANSITIONS, before, state)
    locked.state = state
    locked.save(update_fields=["state"])
    decision = MembershipDecision(
        membership=locked,
        before=before,
        after=state,
        reason=reason.strip(),
        decided_by=by if isinstance(by, User) else None,
    )
    decision.full_clean()
    decision.save()
    if state == MembershipState.LEFT:
        _end_what_is_open(locked)
    record(
        by=by,
        verb="members.change_membership_state",
        obj=locked,
        institution=locked.institution,
        diff={"state": [before, state]},
    )
    mails.tell_decision(decision)
    return locked


def admit_if_settled(*, by: Actor, membership: Membership) -> None:
    """Approve a candidate once the committee has accepted it and the agreement bears both signatures.

    The applicant then speaks for the institution's IT department, and invites the others.
    """
    locked = Membership.objects.select_for_update().get(pk=membership.pk)
    if locked.state != MembershipState.CANDIDATE or not policies.is_settled(locked):
        return
    candidacy = Candidacy.objects.select_related("applicant").get(membership=locked)
    take_over_facts(candidacy, locked.institution)
    move(by=by, locked=locked, state=MembershipState.APPROVED, reason="")
    if candidacy.applicant.is_active:
        take_offered_role(
            user=candidacy.applicant, role=Role.MEMBER_DSI, institution_id=locked.institution_id
        )


def take_over_facts(candidacy: Candidacy, institution: Institution) -> None:
    """Write what a candidacy says of its institution into the register. The short identifier stays: keys and
    addresses may bear it."""
    institution.name, institution.short_name = candidacy.name, candidacy.short_name
    institution.uai, institution.siret = candidacy.uai, candidacy.siret
    institution.full_clean()
    institution.save()


def _end_what_is_open(membership: Membership) -> None:
    """Neither a vote nor a signature is expected any more."""
    open_ballots = Ballot.objects.about(SubjectKind.MEMBERSHIP, membership.pk)
    open_ballots.filter(state=BallotState.OPEN).update(state=BallotState.CANCELLED)
    unfinished = (AgreementState.DRAWN_UP, AgreementState.SIGNED)
    Agreement.objects.filter(membership=membership, state__in=unfinished).update(
        state=AgreementState.VOID
    )
