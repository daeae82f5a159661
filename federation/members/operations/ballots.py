"""Writes about ballots: the committee is asked, its members vote, the count decides."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.members import mails, policies
from federation.members.enums import BALLOT_TRANSITIONS, BallotState, Choice, SubjectKind
from federation.members.models import Ballot, Vote
from federation.members.queries import count_votes
from federation.members.subjects import subject_of
from federation.people.models import User
from federation.transitions import check_transition


@transaction.atomic
def open_ballot(*, by: Actor, kind: SubjectKind, subject_id: UUID, closes_at: datetime) -> Ballot:
    """Put a question to the committee until a moment. Raises `ValidationError` when none is due."""
    policies.check_open_ballot(by, kind, subject_id, closes_at)
    ballot = Ballot(
        kind=kind,
        subject_id=subject_id,
        subject_name=subject_of(kind).name(subject_id),
        opened_by=by if isinstance(by, User) else None,
        opens_at=timezone.now(),
        closes_at=closes_at,
    )
    ballot.full_clean()
    ballot.save()
    record(
        by=by,
        verb="members.open_ballot",
        obj=ballot,
        diff={"kind": kind, "subject": subject_id, "closes_at": closes_at},
    )
    mails.tell_ballot(ballot)
    return ballot


@transaction.atomic
def cast_vote(*, by: User, ballot: Ballot, choice: Choice, comment: str = "") -> Vote:
    """Vote, or vote anew. Raises `ValidationError` once the ballot takes no votes any more."""
    locked = _locked(ballot)
    policies.check_vote(by, locked)
    vote = Vote.objects.filter(ballot=locked, voter=by).first() or Vote(ballot=locked, voter=by)
    vote.choice, vote.comment = choice, comment.strip()
    vote.full_clean()
    vote.save()
    record(by=by, verb="members.cast_vote", obj=locked, diff={"choice": choice})
    return vote


@transaction.atomic
def close_ballot(*, by: Actor, ballot: Ballot) -> Ballot:
    """Count the votes and carry out what was decided: at its hour, or before once everybody has voted."""
    locked = _locked(ballot)
    policies.check_close_ballot(by, locked)
    count = count_votes(locked)
    locked.state, locked.outcome = BallotState.CLOSED, count.outcome
    locked.closed_at = timezone.now()
    locked.full_clean()
    locked.save()
    record(
        by=by,
        verb="members.close_ballot",
        obj=locked,
        diff={"outcome": count.outcome, "yes": count.yes, "no": count.no, "abstain": count.abstain},
    )
    subject_of(locked.kind).decided(by=by, subject_id=locked.subject_id, count=count)
    return locked


@transaction.atomic
def cancel_ballot(*, by: Actor, ballot: Ballot) -> Ballot:
    """Take a question back: nothing is decided, and it may be put again."""
    locked = _locked(ballot)
    policies.check_decide_membership(by)
    check_transition(BALLOT_TRANSITIONS, BallotState(locked.state), BallotState.CANCELLED)
    locked.state, locked.closed_at = BallotState.CANCELLED, timezone.now()
    locked.full_clean()
    locked.save()
    record(by=by, verb="members.cancel_ballot", obj=locked)
    return locked


def close_due_ballots() -> int:
    """Close, as the system, every ballot whose hour has come; return how many. Safe to run twice."""
    due = Ballot.objects.filter(state=BallotState.OPEN, closes_at__lte=timezone.now())
    for ballot in due:
        close_ballot(by=SYSTEM, ballot=ballot)
    return len(due)


def _locked(ballot: Ballot) -> Ballot:
    return Ballot.objects.select_for_update().get(pk=ballot.pk)
