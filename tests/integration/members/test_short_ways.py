"""The short ways of the pages: handed in with the last part, voted and counted at once, countersigned in place."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from federation.members.enums import AgreementState, BallotState, MembershipState
from federation.members.models import Agreement, Ballot, Candidacy, Membership
from federation.members.operations.candidacies import begin_candidacy, describe_part
from federation.members.queries import Part, is_last_to_vote, seen_of
from federation.people.enums import Role
from tests.support.candidates import BOTH_SIGNED, NANTES, PART, make_candidate
from tests.support.factories import Cast, make_user
from tests.support.pages import signed_in_as

pytestmark = pytest.mark.usefixtures("plain_static")

CONTACT = {"name": "Ada Le Goff", "function": "DSI", "email": "ada@nantes.example", "phone": ""}
CONTACTS = {
    f"{role}_{field}": text
    for role in ("governance", "technical", "finance", "dpo")
    for field, text in CONTACT.items()
}


@pytest.fixture
def draft(cast: Cast) -> Candidacy:
    """All but its contacts."""
    applicant = make_user("applicant")
    begun = begin_candidacy(by=applicant, facts=NANTES)
    return describe_part(by=applicant, candidacy=begun, seen=seen_of(begun, Part.ROLE), facts=PART)


@pytest.fixture
def agreement(cast: Cast) -> Agreement:
    return make_candidate(make_user("applicant"))[1]


def test_the_last_part_is_saved_and_the_candidacy_handed_in_at_once(draft: Candidacy) -> None:
    client = signed_in_as(draft.applicant)
    seen = {"seen": seen_of(draft, Part.CONTACTS)}

    client.post(f"/membership/{draft.pk}/contacts/", {**CONTACTS, **seen, "hand_in": "1"})

    draft.refresh_from_db()
    assert draft.membership is not None
    assert draft.membership.agreements.get().state == AgreementState.DRAWN_UP


def test_a_part_that_is_wrong_hands_nothing_in(draft: Candidacy) -> None:
    client = signed_in_as(draft.applicant)
    wrong = {**CONTACTS, "seen": seen_of(draft, Part.CONTACTS), "dpo_email": "nobody"}

    page = client.post(f"/membership/{draft.pk}/contacts/", {**wrong, "hand_in": "1"})

    assert page.status_code == 200
    draft.refresh_from_db()
    assert draft.membership is None


def test_who_names_a_contribution_is_a_contributor(draft: Candidacy) -> None:
    client = signed_in_as(draft.applicant)
    told = {"contributions": ["node"], "seen": seen_of(draft, Part.ROLE)}

    client.post(f"/membership/{draft.pk}/role/", told)

    draft.refresh_from_db()
    assert (draft.is_contributor, draft.is_consumer) == (True, False)


def ballot_of(agreement: Agreement, cast: Cast) -> Ballot:
    """Put it to the vote from the candidate's own page."""
    address = f"/members/{agreement.membership_id}/"
    client = signed_in_as(cast.admin)
    day = client.get(address).context["to_vote"]["closes_on"].value()
    client.post(f"{address}ballot/", {"closes_on": day.isoformat()})
    return Ballot.objects.get()


def test_the_last_to_vote_closes_counts_and_signs_for_the_federation_in_place(
    cast: Cast, agreement: Agreement
) -> None:
    ballot, client = ballot_of(agreement, cast), signed_in_as(cast.admin)
    member = f"/members/{agreement.membership_id}/"
    assert f"/agreements/{agreement.pk}/countersign/" in client.get(member).content.decode()

    closed = client.post(f"/ballots/{ballot.pk}/", {"choice": "yes", "close": "1"})

    ballot.refresh_from_db()
    assert closed.headers["Location"] == member
    assert ballot.state == BallotState.CLOSED
    assert 'name="file"' in client.get(member).content.decode()
    file = SimpleUploadedFile("both.pdf", BOTH_SIGNED.content, "application/pdf")
    client.post(f"/agreements/{agreement.pk}/countersign/", {"file": file})
    assert Membership.objects.get(pk=agreement.membership_id).state == MembershipState.APPROVED


def test_nobody_counts_before_the_others_have_voted(cast: Cast, agreement: Agreement) -> None:
    other = make_user("other_admin", Role.FEDERATION_ADMIN)
    ballot, client = ballot_of(agreement, cast), signed_in_as(cast.admin)
    assert not is_last_to_vote(cast.admin, ballot)
    assert 'name="close"' not in client.get(f"/ballots/{ballot.pk}/").content.decode()

    page = client.post(f"/ballots/{ballot.pk}/", {"choice": "yes", "close": "1"})

    ballot.refresh_from_db()
    assert page.status_code == 200
    assert ballot.state == BallotState.OPEN
    assert ballot.votes.get().voter == cast.admin
    assert is_last_to_vote(other, ballot)
