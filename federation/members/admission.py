"""Memberships as a subject of the committee's ballots."""

from collections.abc import Sequence, Set
from uuid import UUID

from django.urls import reverse
from django.utils.translation import ngettext, override

from federation.journal.actors import Actor
from federation.members import policies
from federation.members.enums import MembershipState, Outcome
from federation.members.models import Candidacy, Membership
from federation.members.operations.memberships import admit_if_settled, move
from federation.members.votes import Count


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

    def facts(self, subject_id: UUID) -> Sequence[tuple[str, str]]:
        return ()

    def decided(self, *, by: Actor, subject_id: UUID, count: Count) -> None:
        """A yes admits once both have signed; a no ends the candidacy; too few votes leave all as it is."""
        membership = _membership(subject_id)
        if membership.state != MembershipState.CANDIDATE:
            return
        match count.outcome:
            case Outcome.ACCEPTED:
                admit_if_settled(by=by, membership=membership)
            case Outcome.DECLINED:
                locked = Membership.objects.select_for_update().get(pk=subject_id)
                move(
                    by=by, locked=locked, state=MembershipState.LEFT, reason=_reason(locked, count)
                )
            case Outcome.NO_QUORUM:
                pass


def _membership(subject_id: UUID) -> Membership:
    return Membership.objects.select_related("institution").get(pk=subject_id)


def _reason(membership: Membership, count: Count) -> str:
    """Say the committee's count in the applicant's language; comments stay the committee's."""
    with override(membership.candidacy.applicant.language):
        return ngettext(
            "The committee’s vote: %(yes)s for, %(no)s against, %(abstain)s abstention.",
            "The committee’s vote: %(yes)s for, %(no)s against, %(abstain)s abstentions.",
            count.abstain,
        ) % {"yes": count.yes, "no": count.no, "abstain": count.abstain}
