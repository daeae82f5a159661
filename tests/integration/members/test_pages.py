"""Every page of membership, for everybody: what is theirs opens, what is others' does not exist."""

import pytest
from django.test import Client

from federation.members.models import Ballot, Membership, StoredFile
from federation.members.operations.candidacies import begin_candidacy, describe_part
from federation.members.queries import Part, seen_of
from tests.integration.federation.world import World
from tests.support.candidates import ANGERS, NANTES, PART
from tests.support.factories import Cast
from tests.support.kept import Kept
from tests.support.pages import signed_in_as

pytestmark = pytest.mark.usefixtures("plain_static")
VISITORS = ("/join/", "/charter/", "/account/signup/")


@pytest.fixture
def world(db: None, kept_world: Kept[World]) -> World:
    return kept_world.put_back()


def committee_pages(world: World) -> list[str]:
    member = world.agreement.membership_id
    return [
        *("/members/", "/members/?ended=1", f"/members/{member}/", f"/members/{member}/ballot/"),
        *(f"/members/{member}/decide/", "/ballots/", f"/ballots/{world.ballot.pk}/"),
        *("/texts/charter/", "/texts/agreement/", f"/agreements/{world.agreement.pk}/countersign/"),
        f"/agreements/{world.agreement.pk}/send-back/",
    ]


def applicant_pages(world: World) -> list[str]:
    candidacy = world.candidacy.pk
    return [
        *(f"/membership/{candidacy}/", f"/membership/{candidacy}/withdraw/"),
        *(f"/agreements/files/{file.pk}/" for file in StoredFile.objects.all()),
    ]


def department_pages(world: World) -> list[str]:
    grant = world.cast.rennes_user.role_grants.get()
    return [
        *("/people/", "/people/?at=rennes", "/people/invite/?at=rennes"),
        *("/people/teams/new/?at=rennes", "/people/service-accounts/new/?at=rennes"),
        *(f"/people/teams/{world.team.pk}/", f"/people/roles/{grant.pk}/revoke/"),
    ]


def statuses(client: Client, paths: list[str]) -> dict[str, int]:
    return {path: client.get(path).status_code for path in paths}


def all_are(answers: dict[str, int], *expected: int) -> bool:
    assert {path: code for path, code in answers.items() if code not in expected} == {}
    return True


@pytest.mark.parametrize("language", ["fr", "en"])
def test_everybody_opens_the_pages_that_are_theirs(world: World, language: str) -> None:
    for person, paths in (
        (None, list(VISITORS)),
        (world.cast.admin, [*committee_pages(world), *department_pages(world), "/people/?at="]),
        (world.candidacy.applicant, [*applicant_pages(world), "/membership/new/"]),
        (world.cast.rennes_dsi, department_pages(world)),
    ):
        client = signed_in_as(person) if person else Client()
        client.cookies["django_language"] = language
        assert all_are(statuses(client, paths), 200)


def test_the_pages_of_the_committee_are_nobody_elses(world: World) -> None:
    for person in (world.cast.rennes_dsi, world.cast.intruder, world.candidacy.applicant):
        client = signed_in_as(person)
        assert all_are(statuses(client, committee_pages(world)), 403, 404)


def test_a_candidacy_and_its_files_do_not_exist_for_others(world: World) -> None:
    for person in (world.cast.rennes_dsi, world.cast.rennes_user, world.cast.intruder):
        client = signed_in_as(person)
        assert all_are(statuses(client, applicant_pages(world)), 404)


def test_the_people_of_rennes_do_not_exist_for_reims(world: World) -> None:
    client = signed_in_as(world.cast.reims_dsi)

    paths = [path for path in department_pages(world) if path != "/people/"]
    assert all_are(statuses(client, paths), 404)
    for path in (
        f"/people/invitations/{world.invitation.pk}/withdraw/",
        f"/people/teams/{world.team.pk}/close/",
        f"/people/teams/places/{world.team.places.get().pk}/remove/",
    ):
        assert client.post(path).status_code == 404


def test_a_visitor_signs_in_first(world: World) -> None:
    paths = [*committee_pages(world), *applicant_pages(world), *department_pages(world)]

    assert all_are(statuses(Client(), paths), 302)


def test_a_file_comes_as_an_attachment_and_whole(world: World) -> None:
    file = world.agreement.drawn_up

    answer = signed_in_as(world.candidacy.applicant).get(f"/agreements/files/{file.pk}/")

    assert answer.headers["Content-Disposition"] == 'attachment; filename="nantes-1.pdf"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content == bytes(file.content)


def test_a_closed_ballot_tells_what_was_decided(world: World) -> None:
    client = signed_in_as(world.cast.admin)
    client.post(f"/ballots/{world.ballot.pk}/", {"choice": "no", "comment": "<b>too early</b>"})

    page = client.post(f"/ballots/{world.ballot.pk}/close/", follow=True).content.decode()

    assert Ballot.objects.get().outcome == "declined"
    assert "&lt;b&gt;too early" in page


def test_a_draft_says_what_comes_next_from_its_first_part_on(cast: Cast) -> None:
    client = signed_in_as(cast.intruder)
    draft = begin_candidacy(by=cast.intruder, facts=NANTES)
    assert client.get("/membership/", follow=True).redirect_chain[-1][0].endswith(f"/{draft.pk}/")
    page = client.get(f"/membership/{draft.pk}/").content.decode()
    assert f"/membership/{draft.pk}/role/" in page

    seen = seen_of(draft, Part.ROLE)
    describe_part(by=cast.intruder, candidacy=draft, seen=seen, facts=PART)
    page = client.get(f"/membership/{draft.pk}/").content.decode()

    assert f"/membership/{draft.pk}/contacts/" in page
    assert f"/membership/{draft.pk}/submit/" not in page


def test_a_signed_copy_that_is_in_is_not_asked_for_again(world: World) -> None:
    response = signed_in_as(world.candidacy.applicant).get(
        f"/agreements/{world.agreement.pk}/sign/", follow=True
    )

    assert response.redirect_chain == [(f"/membership/{world.candidacy.pk}/", 302)]
    assert [str(each) for each in response.context["messages"]]


def test_a_candidate_is_declined_and_a_member_suspended(world: World) -> None:
    admin = signed_in_as(world.cast.admin)
    rennes = Membership.objects.get(institution=world.cast.rennes)

    def told(membership: object, page: str = "") -> str:
        address = f"/members/{membership}/{page}"
        return admin.get(address, headers={"accept-language": "en"}).content.decode()

    candidate = world.agreement.membership_id
    assert "Decline the candidacy" in told(candidate)
    assert "Suspend or end" not in told(candidate)
    assert "Suspend or end" in told(rennes.pk)
    assert "Decline it: the candidacy is over" in told(candidate, "decide/")
    assert "End it for good" in told(rennes.pk, "decide/")


def test_no_membership_has_ended(world: World) -> None:
    html = signed_in_as(world.cast.admin).get("/members/?ended=1").content.decode()

    assert "Aucune adhésion terminée" in html


def test_a_draft_is_told_to_the_federation_as_what_it_is(world: World) -> None:
    begin_candidacy(by=world.cast.intruder, facts=ANGERS)

    html = signed_in_as(world.cast.admin).get("/membership/", headers={"accept-language": "en"})

    assert "only its writers and the federation see it" in html.content.decode()
    assert f"/members/{world.agreement.membership_id}/" in html.content.decode()


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("fr", "Admettre comme membre\u00a0: Nantes Université\u202f?"),
        ("en", "Shall Nantes Université become a member?"),
    ],
)
def test_a_ballot_asks_its_reader_in_their_language(
    world: World, language: str, question: str
) -> None:
    client = signed_in_as(world.cast.admin)
    client.cookies["django_language"] = language

    assert question in client.get("/ballots/").content.decode()
    assert question in client.get(f"/ballots/{world.ballot.pk}/").content.decode()
