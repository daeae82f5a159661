"""What waits for somebody's decision: of each kind how much, and where it is decided."""

from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.budgeting.requests import requests_to_decide
from billing.models import Contest
from billing.policies import can_keep_accounts
from billing.statements.standing import statements_to_answer
from federation.catalogue.models import AIModel, Proposal
from federation.fleet.queries import networks_to_decide, servers_to_decide
from federation.members.enums import (
    AgreementState,
    BallotState,
    MembershipState,
    Outcome,
    SubjectKind,
)
from federation.members.models import Agreement, Ballot, Membership, Vote
from federation.members.policies import can_put_to_the_committee, can_vote
from federation.people.models import User
from federation.people.policies import is_federation_admin
from routing.core.enums import LifecycleStage


class Waiting(NamedTuple):
    label: str | Promise
    number: int
    address: str


def waiting_for(user: User) -> list[Waiting]:
    """Return what `user` can decide now, without what there is none of: most is the federation's alone."""
    asked = len(requests_to_decide(user))
    found = [Waiting(_("Requests for more of a budget"), asked, reverse("budget_requests"))]
    unread = statements_to_answer(user).count()
    found.append(Waiting(_("Statements to accept or contest"), unread, reverse("statements")))
    if can_keep_accounts(user):
        contested = Contest.objects.for_user(user).waiting().count()
        found.append(Waiting(_("Contested lines to answer"), contested, reverse("contests")))
    if is_federation_admin(user):
        found += _of_the_committee(user)
    return [each for each in found if each.number]


def _of_the_committee(user: User) -> list[Waiting]:
    return [
        Waiting(_("Ballots that want your vote"), _unvoted(user), reverse("ballots")),
        Waiting(_("Candidates to put to the vote"), _candidates(user), reverse("members")),
        Waiting(_("Agreements to countersign"), _signed(user), reverse("members")),
        Waiting(_("Proposed models to put to the vote"), _proposed(user), reverse("proposals")),
        Waiting(_("Servers to approve"), servers_to_decide().count(), reverse("approvals")),
        Waiting(_("Private networks asked for"), networks_to_decide().count(), reverse("networks")),
    ]


def _unvoted(user: User) -> int:
    own = Vote.objects.filter(ballot=OuterRef("pk"), voter=user)
    ballots = Ballot.objects.for_user(user).filter(state=BallotState.OPEN)
    return sum(can_vote(user, ballot) for ballot in ballots.exclude(Exists(own)))


def _candidates(user: User) -> int:
    """Count those about whom a ballot is due."""
    voted = _decided_or_open(SubjectKind.MEMBERSHIP)
    rows = Membership.objects.for_user(user).filter(state=MembershipState.CANDIDATE)
    return sum(can_put_to_the_committee(row) for row in rows.exclude(pk__in=voted))


def _signed(user: User) -> int:
    return Agreement.objects.for_user(user).filter(state=AgreementState.SIGNED).count()


def _proposed(user: User) -> int:
    """Count those that wait for a ballot, withdrawn ones apart."""
    named = Proposal.objects.standing().values("model")
    stands = Q(pk__in=named) | Q(pk__in=AIModel.objects.unnamed().values("pk"))
    rows = AIModel.objects.for_user(user).filter(stands, stage=LifecycleStage.PROPOSED)
    return rows.exclude(pk__in=_decided_or_open(SubjectKind.MODEL)).count()


def _decided_or_open(kind: SubjectKind) -> QuerySet[Ballot, UUID]:
    """Return the ids of what the committee votes about now, or has said yes to."""
    ballots = Ballot.objects.filter(kind=kind)
    settled = ballots.filter(Q(state=BallotState.OPEN) | Q(outcome=Outcome.ACCEPTED))
    return settled.values_list("subject_id", flat=True)
