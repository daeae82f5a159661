"""Ballots: who votes, until when, what the count decides."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from federation.members.enums import (
    AgreementState,
    BallotState,
    Choice,
    MembershipState,
    Outcome,
    SubjectKind,
)
from federation.members.models import Agreement, Ballot, Membership
from federation.members.operations.agreements import countersign_agreement
from federation.members.operations.ballots import (
    cancel_ballot,
    cast_vote,
    close_ballot,
    open_ballot,
)
from federation.members.queries import count_votes
from federation.members.tasks import close_due_ballots
from federation.members.votes import Count
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import close_account
from tests.support.candidates import BOTH_SIGNED, make_candidate, make_submitted
from tests.support.factories import OPERATOR, Cast, make_user
from tests.support.pages import signed_in_as

pytestmark = pytest.mark.usefixtures("plain_static")


@pytest.fixture
def agreement(cast: Cast) -> Agreement:
    return make_candidate(make_user("applicant"))[1]


@pytest.fixture
def ballot(cast: Cast, agreement: Agreement) -> Ballot:
    return ask(cast.admin, agreement)


def ask(by: User, agreement: Agreement, *, days: float = 7) -> Ballot:
    return open_ballot(
        by=by,
        kind=SubjectKind.MEMBERSHIP,
        subject_id=agreement.membership_id,
        closes_at=timezone.now() + timedelta(days=days),
    )


def its_hour_has_come(ballot: Ballot) -> None:
    now = timezone.now()
    Ballot.objects.filter(pk=ballot.pk).update(
        opens_at=now - timedelta(days=2), closes_at=now - timedelta(seconds=1)
    )


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as refused:
        act()
    return str(getattr(refused.value, "code", "by field"))


@pytest.mark.parametrize(
    ("yes", "no", "abstain", "members", "outcome"),
    [
        (1, 0, 0, 1, Outcome.ACCEPTED),
        (0, 1, 0, 1, Outcome.DECLINED),
        (0, 0, 0, 1, Outcome.NO_QUORUM),
        (0, 0, 1, 1, Outcome.DECLINED),
        (1, 1, 0, 2, Outcome.DECLINED),
        (1, 0, 0, 2, Outcome.ACCEPTED),
        (1, 0, 0, 3, Outcome.NO_QUORUM),
        (1, 0, 1, 3, Outcome.ACCEPTED),
        (2, 3, 0, 5, Outcome.DECLINED),
    ],
)
def test_half_of_the_committee_has_to_vote_and_more_yes_than_no_accepts(
    yes: int, no: int, abstain: int, members: int, outcome: Outcome
) -> None:
    assert Count(yes, no, abstain, members).outcome == outcome


def test_a_vote_after_the_close_is_refused_with_the_reason_and_the_way_out(
    cast: Cast, ballot: Ballot
) -> None:
    its_hour_has_come(ballot)
    client = signed_in_as(cast.admin)

    assert (
        code_of(lambda: cast_vote(by=cast.admin, ballot=ballot, choice=Choice.YES))
        == "ballot_closed"
    )
    for language, reason, way_out in (
        ("fr", "s’est clos le", "nouveau scrutin"),
        ("en", "closed on", "new ballot"),
    ):
        client.cookies["django_language"] = language
        page = client.post(f"/ballots/{ballot.pk}/", {"choice": "yes"}).content.decode()
        assert reason in page
        assert way_out in page
        assert 'name="choice"' not in page, "nothing is offered that is refused"
    assert not ballot.votes.exists()


def test_a_vote_is_changed_until_the_close(cast: Cast, ballot: Ballot) -> None:
    cast_vote(by=cast.admin, ballot=ballot, choice=Choice.YES)
    cast_vote(by=cast.admin, ballot=ballot, choice=Choice.NO, comment="on reflection")

    assert ballot.votes.get().choice == Choice.NO


def test_only_administrators_vote_and_not_about_their_own_candidacy(cast: Cast) -> None:
    other = make_user("other_admin", Role.FEDERATION_ADMIN)
    _candidacy, agreement = make_candidate(cast.admin)
    ballot = ask(other, agreement)

    assert count_votes(ballot).members == 1
    for person in (cast.admin, cast.auditor, cast.rennes_dsi):
        with pytest.raises(PermissionDenied):
            cast_vote(by=person, ballot=ballot, choice=Choice.YES)


def test_without_anybody_to_vote_no_ballot_opens(cast: Cast) -> None:
    _candidacy, agreement = make_candidate(cast.admin)

    assert code_of(lambda: ask(cast.admin, agreement)) == "no_voters"


def test_who_is_no_administrator_any_more_counts_no_more(cast: Cast, ballot: Ballot) -> None:
    second = make_user("second", Role.FEDERATION_ADMIN)
    cast_vote(by=second, ballot=ballot, choice=Choice.NO)
    cast_vote(by=cast.admin, ballot=ballot, choice=Choice.YES)

    close_account(by=OPERATOR, user=second)

    assert count_votes(ballot) == (1, 0, 0, 1)


def test_a_ballot_is_not_closed_before_its_hour_unless_all_have_voted(
    cast: Cast, ballot: Ballot
) -> None:
    second = make_user("second", Role.FEDERATION_ADMIN)
    cast_vote(by=cast.admin, ballot=ballot, choice=Choice.YES)
    assert code_of(lambda: close_ballot(by=cast.admin, ballot=ballot)) == "not_yet"

    cast_vote(by=second, ballot=ballot, choice=Choice.ABSTAIN)

    assert close_ballot(by=cast.admin, ballot=ballot).outcome == Outcome.ACCEPTED


def test_before_the_signature_and_after_a_yes_no_ballot_is_due(cast: Cast) -> None:
    _candidacy, agreement = make_submitted(make_user("applicant"))
    assert code_of(lambda: ask(cast.admin, agreement)) == "not_signed"


@pytest.mark.parametrize("days", [0, 61, -1])
def test_a_ballot_is_open_for_minutes_at_least_and_sixty_days_at_most(
    cast: Cast, agreement: Agreement, days: int
) -> None:
    with pytest.raises(ValidationError) as refused:
        ask(cast.admin, agreement, days=days)
    assert "closes_at" in refused.value.message_dict


def test_a_second_ballot_waits_for_the_end_of_the_first(
    cast: Cast, agreement: Agreement, ballot: Ballot
) -> None:
    assert code_of(lambda: ask(cast.admin, agreement)) == "open_already"

    cancel_ballot(by=cast.admin, ballot=ballot)

    assert ask(cast.admin, agreement).state == BallotState.OPEN


@pytest.mark.parametrize("countersigned_first", [True, False])
def test_a_yes_and_both_signatures_admit_in_whichever_order(
    cast: Cast, agreement: Agreement, ballot: Ballot, countersigned_first: bool
) -> None:
    steps: list[Callable[[], object]] = [
        lambda: countersign_agreement(by=cast.admin, agreement=agreement, upload=BOTH_SIGNED),
        lambda: close_ballot(by=cast.admin, ballot=ballot),
    ]
    cast_vote(by=cast.admin, ballot=ballot, choice=Choice.YES)
    membership = Membership.objects.get(pk=agreement.membership_id)
    states = []

    for step in steps if countersigned_first else reversed(steps):
        step()
        membership.refresh_from_db()
        states.append(membership.state)

    assert states == [MembershipState.CANDIDATE, MembershipState.APPROVED]
    applicant = User.objects.get(email="applicant@example.org")
    assert applicant.has_role(Role.MEMBER_DSI, membership.institution_id)


def test_a_no_ends_the_candidacy_and_the_applicant_reads_why(
    cast: Cast, agreement: Agreement, ballot: Ballot
) -> None:
    cast_vote(by=cast.admin, ballot=ballot, choice=Choice.NO, comment="between us")
    close_ballot(by=cast.admin, ballot=ballot)

    membership = Membership.objects.get(pk=agreement.membership_id)
    agreement.refresh_from_db()
    assert (membership.state, agreement.state) == (MembershipState.LEFT, AgreementState.VOID)
    applicant = User.objects.get(email="applicant@example.org")
    page = signed_in_as(applicant).get(f"/membership/{membership.candidacy.pk}/").content.decode()
    assert (
        membership.decisions.get().reason == "Vote du comité\u00a0: 0 pour, 1 contre, 0 abstention."
    )
    assert membership.decisions.get().reason in page
    assert "between us" not in page


def test_too_few_votes_decide_nothing_and_the_question_is_put_again(
    cast: Cast, agreement: Agreement, ballot: Ballot
) -> None:
    its_hour_has_come(ballot)

    close_due_ballots()
    close_due_ballots()

    ballot.refresh_from_db()
    assert (ballot.state, ballot.outcome) == (BallotState.CLOSED, Outcome.NO_QUORUM)
    membership = Membership.objects.get(pk=agreement.membership_id)
    assert membership.state == MembershipState.CANDIDATE
    assert ask(cast.admin, agreement).state == BallotState.OPEN


def test_a_ballot_whose_hour_has_not_come_is_left_alone(ballot: Ballot) -> None:
    close_due_ballots()

    ballot.refresh_from_db()
    assert ballot.state == BallotState.OPEN


def test_the_committee_suspends_with_a_reason_that_is_kept(cast: Cast) -> None:
    membership = cast.reims.memberships.get()
    client = signed_in_as(cast.admin)
    path = f"/members/{membership.pk}/decide/"

    client.post(path, {"state": "suspended", "reason": ""})
    membership.refresh_from_db()
    assert membership.state == MembershipState.APPROVED
    client.post(path, {"state": "suspended", "reason": "a server leaks"})

    membership.refresh_from_db()
    assert membership.state == MembershipState.SUSPENDED
    decision = membership.decisions.first()
    assert decision is not None
    assert (decision.reason, decision.decided_by) == ("a server leaks", cast.admin)


def test_about_a_kind_that_no_room_has_registered_nobody_votes(
    cast: Cast, agreement: Agreement
) -> None:
    from federation.members import subjects

    kept = subjects._subjects.pop(SubjectKind.MEMBERSHIP)
    try:
        assert code_of(lambda: ask(cast.admin, agreement)) == "no_subject"
    finally:
        subjects.register(SubjectKind.MEMBERSHIP, kept)
