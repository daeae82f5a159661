"""Several people manage an application; it changes hands within its institution."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from federation.access.models import Application
from federation.access.operations import add_manager, give_to_team, hand_over, issue_key
from federation.access.queries import can_manage_application, people_behind
from federation.members.operations.teams import add_to_team, close_team, create_team
from federation.people.enums import Role
from federation.people.models import User
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_key,
    make_user,
)
from tests.support.pages import signed_in_as


def test_a_manager_sees_makes_and_revokes_keys_of_an_application(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")
    colleague = make_user("colleague", Role.USER, cast.rennes)
    key, _text = make_key(application)
    assert signed_in_as(colleague).get(f"/keys/{key.pk}/").status_code == 404

    page = signed_in_as(cast.rennes_user).post(
        f"/keys/applications/{application.pk}/",
        {"act": "add", "add-email": "COLLEAGUE@example.org"},
    )

    assert page.status_code == 302
    browser = signed_in_as(colleague)
    assert browser.get(f"/keys/{key.pk}/").status_code == 200
    made, _secret = issue_key(by=colleague, application=application, name="theirs")
    assert browser.post(f"/keys/{key.pk}/revoke/", {"reason": "old"}).status_code == 302
    assert made.is_usable


def test_a_manager_leaves_and_no_longer_sees_it(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_dsi, "moodle")
    add_manager(by=OPERATOR, application=application, manager=cast.rennes_user)
    page = f"/keys/applications/{application.pk}/"

    answer = signed_in_as(cast.rennes_user).post(
        page, {"act": "remove", "person": str(cast.rennes_user.pk)}
    )

    assert answer.headers["Location"] == "/keys/"
    assert signed_in_as(cast.rennes_user).get(page).status_code == 404


def test_who_has_left_the_institution_manages_nothing_there(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_dsi, "moodle")
    add_manager(by=OPERATOR, application=application, manager=cast.rennes_user)
    cast.rennes_user.role_grants.all().delete()
    gone = User.objects.get(pk=cast.rennes_user.pk)

    assert signed_in_as(gone).get(f"/keys/applications/{application.pk}/").status_code == 404
    with pytest.raises(PermissionDenied):
        issue_key(by=gone, application=application, name="k")


@pytest.mark.parametrize("act", ["add", "give"])
@pytest.mark.parametrize("email", ["reims_dsi@example.org", "nobody@example.org", "no address"])
def test_nobody_from_elsewhere_is_named_and_the_refusal_does_not_say_whether_they_exist(
    cast: Cast, act: str, email: str
) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")

    page = signed_in_as(cast.rennes_user).post(
        f"/keys/applications/{application.pk}/", {"act": act, f"{act}-email": email}
    )

    application.refresh_from_db()
    assert page.status_code == 200
    assert "aria-invalid" in page.content.decode()
    assert application.owner == cast.rennes_user
    assert not application.managers.exists()


def test_an_owner_gives_an_application_away_and_a_manager_cannot(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")
    colleague = make_user("colleague", Role.USER, cast.rennes)
    add_manager(by=OPERATOR, application=application, manager=colleague)
    with pytest.raises(PermissionDenied):
        hand_over(by=colleague, application=application, owner=colleague)

    page = signed_in_as(cast.rennes_user).post(
        f"/keys/applications/{application.pk}/",
        {"act": "give", "give-email": colleague.email},
    )

    application.refresh_from_db()
    assert page.headers["Location"] == "/keys/"
    assert application.owner == colleague
    assert not application.managers.exists()


def test_a_stranger_s_application_is_not_there(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user, "moodle")
    for person in (cast.reims_dsi, cast.orleans_user, cast.intruder):
        browser = signed_in_as(person)
        page = f"/keys/applications/{application.pk}/"
        assert browser.get(page).status_code == 404
        assert browser.post(page, {"act": "add", "add-email": person.email}).status_code == 404


def test_a_team_manages_what_it_was_given_as_long_as_one_is_in_it(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_dsi)
    colleague = make_user("colleague", Role.USER, cast.rennes)
    team = create_team(by=OPERATOR, institution=cast.rennes, name="Moodle")
    add_to_team(by=OPERATOR, team=team, email=colleague.email, is_lead=False)
    assert not can_manage_application(colleague, application)

    browser = signed_in_as(cast.rennes_dsi)
    page = f"/keys/applications/{application.pk}/"
    browser.post(page, {"act": "team", "team-team": str(team.pk)})

    colleague, application = User.objects.get(pk=colleague.pk), Application.objects.get()
    assert can_manage_application(colleague, application)
    assert list(Application.objects.for_user(colleague)) == [application]
    assert colleague in people_behind(application)
    assert (
        application.name in signed_in_as(colleague).get(f"/keys/teams/{team.pk}/").content.decode()
    )
    close_team(by=OPERATOR, team=team)
    assert not can_manage_application(colleague, Application.objects.get())
    assert not Application.objects.for_user(colleague).exists()


def test_an_application_goes_to_no_other_institutions_team(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    foreign = create_team(by=OPERATOR, institution=cast.reims, name="Moodle")
    own = create_team(by=OPERATOR, institution=cast.rennes, name="Moodle")

    for by in (cast.rennes_user, OPERATOR):
        with pytest.raises(ValidationError):
            give_to_team(by=by, application=application, team=foreign)
    with pytest.raises(PermissionDenied):  # a team in which one is not
        give_to_team(by=cast.rennes_user, application=application, team=own)
    page = signed_in_as(cast.rennes_user).get(f"/keys/applications/{application.pk}/")
    assert "Moodle" not in page.content.decode()
    assert signed_in_as(cast.rennes_user).get(f"/keys/teams/{foreign.pk}/").status_code == 404
