"""Memberships as a subject of the committee's ballots."""

from collections.abc import Set
from uuid import UUID

from django.urls import reverse

from federation.journal.actors import Actor
from federation.members import policies
from federation.members.enums import MembershipState, Outcome
from federation.members.models import Candidacy, Membership
from federation.members.operations.memberships import admit_if_settled, move


class Admission:
    """Whether a candidate becomes a member."""

    def check_open(self, subject_id: UUID) -> None:
        policies.check_ready_for_the_committee(_membership(subject_id))

    def barred(self, subject_id: UUID) -> Set[UUID]:
        applicants = Candidacy.objects.filter(membership=subject_id)
        return set(applicants.values_list("applicant_id", flat=True))

    def name(self, subject_id: UUID) -> str:
        return _membership(subject_id).institution.name

    def address(self, subject_id: UUID) -> str:
        return reverse("member", args=[subject_id])

    def decided(self, *, by: Actor, subject_id: UUID, outcome: Outcome, reason: str) -> None:
        """A yes admits once both have signed; a no ends the candidacy; too few votes leave all as it is."""
        membership = _membership(subject_id)
        if membership.state != MembershipState.CANDIDATE:
            return
        match outcome:
            case Outcome.ACCEPTED:
                admit_if_settled(by=by, membership=membership)
            case Outcome.DECLINED:
                locked = Membership.objects.select_for_update().get(pk=subject_id)
                move(by=by, locked=locked, state=MembershipState.LEFT, reason=reason)
            case Outcome.NO_QUORUM:
                pass


def _membership(subject_id: UUID) -> Membership:
    return Membership.objects.select_related("institution").get(pk=subject_id)
