"""People of an institution: invitations, roles, teams, service accounts; each level manages only its own."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from federation.members.enums import InvitationState
from federation.members.models import Invitation, Team, TeamPlace
from federation.members.operations.invitations import (
    accept_invitation,
    invite,
    resend_invitation,
    withdraw_invitation,
)
from federation.members.operations.teams import add_to_team, create_service_account, create_team
from federation.people.enums import AccountKind, Role
from federation.people.models import RoleGrant, User
from federation.people.operations import close_account, grant_role, revoke_role
from tests.support.factories import OPERATOR, PASSWORD, Cast, make_user
from tests.support.pages import signed_in_as
from tests.support.post import deliver

pytestmark = pytest.mark.usefixtures("plain_static")
ADDRESS = "new@rennes.example"


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as refused:
        act()
    return str(getattr(refused.value, "code", "by field"))


@pytest.fixture
def send(cast: Cast) -> Callable[..., str]:
    """Invite, and return the path of the link that the e-mail brings."""

    def invited(email: str = ADDRESS, role: Role = Role.USER, **changes: Any) -> str:
        given = {"by": cast.rennes_dsi, "institution": cast.rennes, **changes}
        invite(email=email, role=role, **given)
        return path_in(str(deliver()[-1].body))

    return invited


def path_in(text: str) -> str:
    found = re.search(r"/people/invitation/[\w-]+/", text)
    assert found is not None, text
    return found[0]


def new_account(**changes: str) -> dict[str, str]:
    return {"name": "Nora Le Bihan", "password": PASSWORD, "again": PASSWORD, **changes}


def test_a_new_person_opens_an_account_by_the_link_and_has_the_role(
    cast: Cast, send: Callable[..., str]
) -> None:
    path, client = send(), Client()
    assert ADDRESS in client.get(path).content.decode()

    answer = client.post(path, new_account())

    user = User.objects.get(email=ADDRESS)
    assert answer.status_code == 302
    assert user.has_role(Role.USER, cast.rennes.pk)
    assert client.get("/keys/").status_code == 200
    assert Invitation.objects.get().state == InvitationState.ACCEPTED


def test_a_weak_password_opens_no_account_and_uses_nothing_up(send: Callable[..., str]) -> None:
    path, client = send(), Client()

    page = client.post(path, new_account(password="password", again="password"))

    assert page.status_code == 200
    assert not User.objects.filter(email=ADDRESS).exists()
    assert Invitation.objects.get().state == InvitationState.PENDING


def test_who_has_an_account_signs_in_and_accepts_with_one_click(
    cast: Cast, send: Callable[..., str]
) -> None:
    path = send(cast.intruder.email)
    assert "/account/login/?next=/people/invitation/" in Client().get(path).content.decode()
    client = signed_in_as(cast.intruder)

    client.get(path)
    client.post(path)

    assert User.objects.get(pk=cast.intruder.pk).has_role(Role.USER, cast.rennes.pk)


def test_an_invitation_for_somebody_else_is_not_taken(cast: Cast, send: Callable[..., str]) -> None:
    path, client = send(cast.intruder.email), signed_in_as(cast.orleans_user)
    seen = client.get(path).content.decode()
    assert cast.intruder.email in seen
    assert "Accepter l’invitation" not in seen
    assert "/account/logout/" in seen

    page = client.post(path).content.decode()

    assert cast.intruder.email in page
    assert cast.orleans_user.email in page
    assert not User.objects.get(pk=cast.orleans_user.pk).has_role(Role.USER, cast.rennes.pk)


def test_an_expired_invitation_says_so_and_whom_to_ask(
    cast: Cast, send: Callable[..., str]
) -> None:
    path, client = send(), Client()
    now = timezone.now()
    Invitation.objects.update(sent_at=now - timedelta(days=15), expires_at=now - timedelta(days=1))

    for language, words in (("fr", "a expiré le"), ("en", "expired on")):
        client.cookies["django_language"] = language
        for answer in (client.get(path), client.post(path, new_account())):
            assert answer.status_code == 404
            assert words in answer.content.decode()
            assert cast.rennes_dsi.name in answer.content.decode()
    assert not User.objects.filter(email=ADDRESS).exists()


def test_sent_again_the_new_link_works_and_the_former_does_not(
    cast: Cast, send: Callable[..., str]
) -> None:
    former = send()
    resend_invitation(by=cast.rennes_dsi, invitation=Invitation.objects.get())

    assert Client().get(former).status_code == 404
    assert Client().get(path_in(str(deliver()[-1].body))).status_code == 200


def test_a_link_works_once(cast: Cast, send: Callable[..., str]) -> None:
    path = send()
    Client().post(path, new_account())

    assert Client().get(path).status_code == 404
    assert Client().post(path, new_account(name="Other")).status_code == 404


def test_a_withdrawn_invitation_is_not_taken(cast: Cast, send: Callable[..., str]) -> None:
    path = send()
    withdraw_invitation(by=cast.rennes_dsi, invitation=Invitation.objects.get())

    assert Client().post(path, new_account()).status_code == 404
    assert not User.objects.filter(email=ADDRESS).exists()


def test_an_invitation_does_not_outlive_its_senders_right(
    cast: Cast, send: Callable[..., str]
) -> None:
    path = send(cast.intruder.email)
    make_user("second_dsi", Role.MEMBER_DSI, cast.rennes)
    revoke_role(by=OPERATOR, grant=cast.rennes_dsi.role_grants.get())
    token = path.rstrip("/").rpartition("/")[2]

    code = code_of(lambda: accept_invitation(by=cast.intruder, token=token))

    assert code == "inviter_without_right"
    assert not User.objects.get(pk=cast.intruder.pk).grants


def test_no_link_and_no_token_is_kept_in_the_database(send: Callable[..., str]) -> None:
    token = send().rstrip("/").rpartition("/")[2]

    row = Invitation.objects.values().get()

    assert token not in str(row)
    assert row["digest"] == Invitation.digest_of(token)


def test_the_same_offer_twice_is_refused_with_the_way_out(
    cast: Cast, send: Callable[..., str]
) -> None:
    send()

    def again(email: str) -> str:
        by, institution = cast.rennes_dsi, cast.rennes
        return code_of(lambda: invite(by=by, email=email, role=Role.USER, institution=institution))

    assert again(ADDRESS.upper()) == "invited"
    assert again(cast.rennes_user.email) == "held"


def test_each_level_offers_only_what_is_its_own(cast: Cast) -> None:
    owner = make_user("owner", Role.PROJECT_OWNER, cast.rennes)
    team = create_team(by=owner, institution=cast.rennes, name="NLP")
    others = create_team(by=cast.rennes_dsi, institution=cast.rennes, name="Other")
    foreign = create_team(by=cast.reims_dsi, institution=cast.reims, name="NLP")
    refused: list[tuple[User, Role, Any, Team | None]] = [
        (cast.rennes_dsi, Role.USER, cast.reims, None),
        (cast.rennes_dsi, Role.AUDITOR, None, None),
        (cast.rennes_dsi, Role.FEDERATION_ADMIN, cast.rennes, None),
        (cast.rennes_dsi, Role.USER, cast.rennes, foreign),
        (owner, Role.USER, cast.rennes, None),
        (owner, Role.PROJECT_OWNER, cast.rennes, team),
        (owner, Role.USER, cast.rennes, others),
        (cast.rennes_user, Role.USER, cast.rennes, None),
        (cast.auditor, Role.USER, cast.rennes, None),
        (cast.intruder, Role.USER, cast.rennes, None),
    ]

    for by, role, institution, into in refused:
        with pytest.raises(PermissionDenied):
            invite(by=by, email=ADDRESS, role=role, institution=institution, team=into)
    assert not Invitation.objects.exists()
    invite(by=owner, email=ADDRESS, role=Role.USER, institution=cast.rennes, team=team)


def test_who_is_invited_into_a_team_is_in_it(cast: Cast, send: Callable[..., str]) -> None:
    team = create_team(by=cast.rennes_dsi, institution=cast.rennes, name="NLP")

    Client().post(send(team=team), new_account())

    assert TeamPlace.objects.get().user == User.objects.get(email=ADDRESS)


def test_a_team_takes_only_people_of_its_institution(cast: Cast) -> None:
    team = create_team(by=cast.rennes_dsi, institution=cast.rennes, name="NLP")

    for email in (cast.reims_dsi.email, "nobody@example.org"):
        with pytest.raises(ValidationError):
            add_to_team(by=cast.rennes_dsi, team=team, email=email)
    with pytest.raises(ValidationError):
        add_to_team(by=cast.rennes_dsi, team=team, email=cast.rennes_user.email, is_lead=True)
    add_to_team(by=cast.rennes_dsi, team=team, email=cast.rennes_user.email)


def test_the_last_administrator_and_the_last_it_department_stay(cast: Cast) -> None:
    admin, department = cast.admin.role_grants.get(), cast.rennes_dsi.role_grants.get()

    assert code_of(lambda: revoke_role(by=cast.admin, grant=admin)) == "last_one"
    assert code_of(lambda: close_account(by=cast.admin, user=cast.admin)) == "last_one"
    assert code_of(lambda: revoke_role(by=cast.rennes_dsi, grant=department)) == "last_one"
    revoke_role(by=cast.admin, grant=department)


def test_an_administrator_who_loses_the_role_opens_the_tables_no_more(cast: Cast) -> None:
    second = make_user("second", Role.FEDERATION_ADMIN)

    revoke_role(by=cast.admin, grant=second.role_grants.get())

    assert not User.objects.get(pk=second.pk).is_staff


def test_an_it_department_takes_back_only_roles_of_its_institution(cast: Cast) -> None:
    grant_role(by=OPERATOR, user=cast.rennes_user, role=Role.AUDITOR)
    for grant in (
        RoleGrant.objects.get(user=cast.rennes_user, role=Role.AUDITOR),
        cast.reims_dsi.role_grants.get(),
    ):
        with pytest.raises(PermissionDenied):
            revoke_role(by=cast.rennes_dsi, grant=grant)


def test_a_service_account_is_nobodys_way_in(cast: Cast) -> None:
    account = create_service_account(
        by=cast.rennes_dsi, institution=cast.rennes, name="nightly indexing"
    )

    assert account.kind == AccountKind.SERVICE
    assert not account.has_usable_password()
    mail.outbox.clear()
    Client().post("/account/password/reset/", {"email": account.email})
    assert not [letter for letter in mail.outbox if "/password/reset/key" in letter.body]
    close_account(by=cast.rennes_dsi, user=account)
    assert not User.objects.get(pk=account.pk).is_active


def test_the_page_of_people_gives_and_takes_roles(cast: Cast) -> None:
    client = signed_in_as(cast.rennes_dsi)
    given = {"at": "rennes", "account": str(cast.rennes_user.pk), "role": Role.PROJECT_OWNER.value}

    client.post("/people/roles/", given)
    grant = RoleGrant.objects.get(user=cast.rennes_user, role=Role.PROJECT_OWNER)
    client.post(f"/people/roles/{grant.pk}/revoke/")

    assert not RoleGrant.objects.filter(pk=grant.pk).exists()


def test_only_roles_that_somebody_has_not_are_offered_to_them(cast: Cast) -> None:
    page = signed_in_as(cast.rennes_dsi).get("/people/?at=rennes")

    offered = {person.pk: offers for person, _grants, _may, offers in page.context["people"]}
    assert Role.USER not in offered[cast.rennes_user.pk]
    assert Role.MEMBER_DSI in offered[cast.rennes_user.pk]


@pytest.mark.parametrize(
    ("account", "role", "status"),
    [
        ("reims_dsi", "user", 404),
        ("rennes_user", "federation_admin", 403),
        ("rennes_user", "nonsense", 403),
    ],
)
def test_the_page_of_people_gives_nothing_that_is_not_its_own(
    cast: Cast, account: str, role: str, status: int
) -> None:
    person = getattr(cast, account)
    given = {"at": "rennes", "account": str(person.pk), "role": role}
    before = RoleGrant.objects.count()

    assert signed_in_as(cast.rennes_dsi).post("/people/roles/", given).status_code == status
    assert RoleGrant.objects.count() == before
