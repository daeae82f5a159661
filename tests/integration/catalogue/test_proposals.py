"""A model comes into the federation: proposed by a member, voted about, or withdrawn and proposed again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from federation.catalogue.models import AIModel, Proposal
from federation.catalogue.operations.proposals import (
    adopt_model,
    propose_model,
    withdraw_proposal,
)
from federation.catalogue.policies import MOST_PROPOSALS
from federation.members.enums import Choice, MembershipState, SubjectKind
from federation.members.models import Ballot
from federation.members.operations import change_membership_state
from federation.members.operations.ballots import cast_vote, close_ballot, open_ballot
from federation.people.models import User
from routing.core.enums import LifecycleStage
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, Cast, make_cast, make_model
from tests.support.lifecycle import APERTUS, retire
from tests.support.pages import signed_in_as
from tests.support.post import recipients

FORM: dict[str, Any] = {
    "slug": "apertus-70b",
    "publisher": "Swiss AI Initiative",
    "weights_url": "https://huggingface.co/swiss-ai/Apertus-70B-Instruct-2509",
    "licence": "Apache-2.0",
    "category": "generalist",
    "reason": "Une recette entièrement publiée.",
    "hosts": "Reims",
}


def send(user: User, **changes: Any) -> Any:
    return signed_in_as(user).post("/lifecycle/proposals/new/", FORM | changes)


@pytest.fixture
def proposal(cast: Cast) -> Proposal:
    return propose_model(
        by=cast.orleans_user, slug="apertus-70b", facts=APERTUS, institution=cast.orleans
    )


def vote(cast: Cast, proposal: Proposal, choice: Choice) -> Ballot:
    """Put a proposal to the committee, which is one administrator, and close the ballot."""
    ballot = open_ballot(
        by=cast.admin,
        kind=SubjectKind.MODEL,
        subject_id=proposal.model_id,
        closes_at=timezone.now() + timedelta(days=7),
    )
    cast_vote(by=cast.admin, ballot=ballot, choice=choice)
    return close_ballot(by=cast.admin, ballot=ballot)


def test_a_user_of_a_member_proposes_a_model_and_the_committee_is_told(cast: Cast) -> None:
    page = send(cast.orleans_user)

    proposal = Proposal.objects.select_related("model").get()
    assert page.url == f"/lifecycle/proposals/{proposal.pk}/"
    assert (proposal.institution, proposal.proposed_by) == (cast.orleans, cast.orleans_user)
    assert proposal.model.stage == LifecycleStage.PROPOSED
    assert proposal.model.licence == "Apache-2.0"
    assert recipients() == ["admin@example.org"]


def test_who_has_no_role_at_an_approved_member_proposes_nothing(cast: Cast) -> None:
    membership = cast.orleans.memberships.get()
    change_membership_state(
        by=OPERATOR, membership=membership, state=MembershipState.SUSPENDED, reason="unpaid"
    )

    assert send(cast.intruder).status_code == 403
    assert send(cast.orleans_user).status_code == 403
    assert send(cast.auditor).status_code == 403
    assert not Proposal.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "avec espace"),
        ("slug", "é"),
        ("slug", "x" * 129),
        ("weights_url", "http://example.org/weights"),
        ("weights_url", "javascript:alert(1)"),
        ("weights_url", "https://example.org/" + "x" * 300),
        ("reason", "   "),
        ("reason", "x" * 2001),
        ("category", "magic"),
        ("hosts", "x" * 301),
    ],
)
def test_what_is_no_proposal_is_refused_beside_its_field(
    cast: Cast, field: str, value: str
) -> None:
    page = send(cast.orleans_user, **{field: value})

    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert not AIModel.objects.exists()


def test_a_name_that_is_known_is_refused_with_what_it_is(cast: Cast, proposal: Proposal) -> None:
    make_model("served-7b")
    retire(make_model("gone-7b"))

    for slug in ("Apertus-70B", "SERVED-7b", "gone-7b"):
        page = send(cast.orleans_user, slug=slug)
        assert list(page.context["form"].errors) == ["slug"], slug
    assert Proposal.objects.count() == 1


def test_nobody_floods_the_committee(cast: Cast) -> None:
    for number in range(MOST_PROPOSALS):
        assert send(cast.orleans_user, slug=f"model-{number}").status_code == 302

    assert send(cast.orleans_user, slug="one-more").status_code == 200
    assert Proposal.objects.count() == MOST_PROPOSALS


def test_a_proposal_is_seen_by_its_author_and_the_federation(
    cast: Cast, proposal: Proposal
) -> None:
    address = f"/lifecycle/proposals/{proposal.pk}/"
    readers = {"admin", "auditor", "orleans_user"}

    for name, person in cast.people().items():
        status = signed_in_as(person).get(address).status_code
        assert status == (200 if name in readers else 404), name


def test_the_committees_yes_takes_it_on_trial_and_its_author_hears_of_it(
    cast: Cast, proposal: Proposal
) -> None:
    ballot = vote(cast, proposal, Choice.YES)

    proposal.model.refresh_from_db()
    step = proposal.model.stage_changes.last()
    assert proposal.model.stage == LifecycleStage.STAGING
    assert step is not None
    assert step.ballot == ballot
    assert "orleans_user@example.org" in recipients()


def test_after_a_no_it_stays_and_may_be_put_again(cast: Cast, proposal: Proposal) -> None:
    vote(cast, proposal, Choice.NO)
    proposal.model.refresh_from_db()
    assert proposal.model.stage == LifecycleStage.PROPOSED

    vote(cast, proposal, Choice.YES)

    proposal.model.refresh_from_db()
    assert proposal.model.stage == LifecycleStage.STAGING
    ballots = Ballot.objects.about(SubjectKind.MODEL, proposal.model_id)
    assert [ballot.outcome for ballot in ballots] == ["accepted", "declined"]


def test_a_withdrawn_proposal_is_not_voted_about_and_the_model_may_be_proposed_again(
    cast: Cast, proposal: Proposal
) -> None:
    withdraw_proposal(by=cast.orleans_user, proposal=proposal)
    with pytest.raises(ValidationError):
        vote(cast, proposal, Choice.YES)

    again = propose_model(
        by=cast.rennes_user, slug="APERTUS-70b", facts=APERTUS, institution=cast.rennes
    )

    assert again.model_id == proposal.model_id
    vote(cast, again, Choice.YES)
    again.model.refresh_from_db()
    assert again.model.stage == LifecycleStage.STAGING


def test_while_the_committee_votes_nothing_else_decides(cast: Cast, proposal: Proposal) -> None:
    open_ballot(
        by=cast.admin,
        kind=SubjectKind.MODEL,
        subject_id=proposal.model_id,
        closes_at=timezone.now() + timedelta(days=7),
    )

    with pytest.raises(ValidationError, match=r"scrutin|ballot"):
        withdraw_proposal(by=cast.orleans_user, proposal=proposal)
    with pytest.raises(ValidationError, match=r"scrutin|ballot"):
        adopt_model(by=cast.admin, model=proposal.model, reason="I want it")


def test_a_decision_made_elsewhere_is_recorded_with_where(cast: Cast, proposal: Proposal) -> None:
    address = f"/lifecycle/models/{proposal.model_id}/adopt/"
    admin = signed_in_as(cast.admin)

    assert admin.post(address, {"reason": "  "}).status_code == 200
    assert admin.post(address, {"reason": "Comité du 3 mai, point 4"}).status_code == 302
    assert signed_in_as(cast.auditor).get(address).status_code == 403

    step = proposal.model.stage_changes.last()
    assert step is not None
    assert (step.after, step.reason) == ("staging", "Comité du 3 mai, point 4")
    assert step.decided_by == cast.admin


def test_the_page_puts_it_to_the_vote(cast: Cast, proposal: Proposal) -> None:
    address = f"/lifecycle/models/{proposal.model_id}/vote/"
    day = (timezone.localdate() + timedelta(days=7)).isoformat()

    page: Any = signed_in_as(cast.admin).post(address, {"closes_on": day})

    ballot = Ballot.objects.get(kind=SubjectKind.MODEL)
    assert str(ballot.pk) in page.url
    assert signed_in_as(cast.admin).get(page.url).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_propose_a_model_at_once_the_second_is_told() -> None:
    cast = make_cast()
    refused: list[ValidationError] = []

    def act(by: User) -> None:
        try:
            propose_model(by=by, slug="apertus-70b", facts=APERTUS, institution=cast.rennes)
        except ValidationError as refusal:
            refused.append(refusal)

    at_once([lambda: act(cast.rennes_user), lambda: act(cast.rennes_dsi)])

    assert len(refused) == 1
    assert Proposal.objects.count() == AIModel.objects.count() == 1


def test_who_may_puts_it_to_the_vote_on_its_page_and_finds_the_open_ballot_there(
    cast: Cast, proposal: Proposal
) -> None:
    admin, page = signed_in_as(cast.admin), f"/lifecycle/proposals/{proposal.pk}/"
    to_vote = f"/lifecycle/models/{proposal.model_id}/vote/"
    assert to_vote in admin.get(page).content.decode()
    assert to_vote not in signed_in_as(cast.orleans_user).get(page).content.decode()

    opened = open_ballot(
        by=cast.admin,
        kind=SubjectKind.MODEL,
        subject_id=proposal.model_id,
        closes_at=timezone.now() + timedelta(days=7),
    )

    assert to_vote not in admin.get(page).content.decode()
    assert f"/ballots/{opened.pk}/" in admin.get(page).content.decode()
    assert (
        f"/ballots/{opened.pk}/" not in signed_in_as(cast.orleans_user).get(page).content.decode()
    )
    life = f"/lifecycle/models/{proposal.model_id}/"
    for address in (page, life, f"/ballots/{opened.pk}/"):
        shown = admin.get(address).content.decode()
        for said in (APERTUS["publisher"], APERTUS["licence"], APERTUS["hosts"], "généraliste"):
            assert said in shown, (address, said)


def test_who_has_to_act_on_a_proposal_is_told_so_and_nobody_else_is(
    cast: Cast, proposal: Proposal
) -> None:
    page = f"/lifecycle/proposals/{proposal.pk}/"
    for_admin = signed_in_as(cast.admin).get(page).content.decode()
    assert "À vous d’agir" in for_admin
    assert "rien à faire" not in for_admin
    for other in (cast.orleans_user, cast.auditor):
        shown = signed_in_as(other).get(page).content.decode()
        assert "Vous n’avez rien à faire" in shown
        assert "À vous d’agir" not in shown

    opened = open_ballot(
        by=cast.admin,
        kind=SubjectKind.MODEL,
        subject_id=proposal.model_id,
        closes_at=timezone.now() + timedelta(days=7),
    )
    cast_vote(by=cast.admin, ballot=opened, choice=Choice.NO)
    close_ballot(by=cast.admin, ballot=opened)

    assert "remettre la proposition aux voix" in signed_in_as(cast.admin).get(page).content.decode()
    assert "peut voter de nouveau" in signed_in_as(cast.orleans_user).get(page).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_proposal_is_not_withdrawn_while_it_is_put_to_the_vote() -> None:
    cast, refused = make_cast(), []
    made = propose_model(
        by=cast.orleans_user, slug="apertus-70b", facts=APERTUS, institution=cast.orleans
    )

    def act(write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as refusal:  # noqa: BLE001  # looked at below
            refused.append(refusal)

    closes_at = timezone.now() + timedelta(days=7)

    def put() -> object:
        return open_ballot(
            by=cast.admin,
            kind=SubjectKind.MODEL,
            subject_id=made.model_id,
            closes_at=closes_at,
        )

    at_once(
        [
            lambda: act(lambda: withdraw_proposal(by=cast.orleans_user, proposal=made)),
            lambda: act(put),
        ]
    )

    assert [type(refusal) for refusal in refused] == [ValidationError]


def test_a_yes_to_what_nobody_stands_by_takes_nothing_on_trial(
    cast: Cast, proposal: Proposal
) -> None:
    opened = open_ballot(
        by=cast.admin,
        kind=SubjectKind.MODEL,
        subject_id=proposal.model_id,
        closes_at=timezone.now() + timedelta(days=7),
    )
    cast_vote(by=cast.admin, ballot=opened, choice=Choice.YES)
    Proposal.objects.update(withdrawn_at=timezone.now())

    close_ballot(by=cast.admin, ballot=opened)

    assert AIModel.objects.get(pk=proposal.model_id).stage == LifecycleStage.PROPOSED
