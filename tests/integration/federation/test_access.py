"""Applications and keys: up to which class, for whom, and where the text of a key is not."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from federation.access.models import ApiKey
from federation.access.operations import create_application, issue_key, revoke_key
from federation.access.policies import highest_class
from federation.members.enums import MembershipState
from federation.members.models import Membership
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import grant_role
from routing.core.enums import PriorityClass
from routing.core.keys import digest
from tests.integration.federation.world import World
from tests.support.factories import OPERATOR, Cast, make_application, make_key, make_user


def test_a_key_is_known_by_its_digest_its_beginning_and_its_end(cast: Cast) -> None:
    key, text = make_key(make_application(cast.rennes))

    assert key.digest == digest(settings.PEPPER.encode(), text)
    assert text.startswith(key.prefix)
    assert text.endswith(key.last4)


def test_the_text_of_a_key_is_in_no_table_and_no_log(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    _key, text = make_key(make_application(cast.rennes, cast.rennes_user))

    secret = text[-49:]
    assert secret not in caplog.text
    for model in apps.get_models():
        assert secret not in str(list(model._base_manager.values())), model


CEILINGS = {
    Role.MEMBER_DSI: PriorityClass.P5,
    Role.PROJECT_OWNER: PriorityClass.P4,
    Role.USER: PriorityClass.P3,
    Role.MEMBER_FINANCE: None,
}


@pytest.mark.parametrize("role", CEILINGS)
def test_a_role_has_its_highest_class_and_no_higher(cast: Cast, role: Role) -> None:
    ceiling = CEILINGS[role]
    person = make_user("somebody", role, cast.rennes)
    application = make_application(cast.rennes, person)

    assert highest_class(person, cast.rennes) == ceiling
    for priority in PriorityClass:
        if ceiling is not None and priority <= ceiling:
            issue_key(by=person, application=application, name="essai", priority=priority)
        else:
            with pytest.raises(PermissionDenied):
                issue_key(by=person, application=application, name="essai", priority=priority)


def test_the_highest_of_several_roles_counts(cast: Cast) -> None:
    grant_role(
        by=OPERATOR,
        user=cast.rennes_user,
        role=Role.PROJECT_OWNER,
        institution_id=cast.rennes.pk,
    )

    assert highest_class(cast.rennes_user, cast.rennes) == PriorityClass.P4
    assert highest_class(cast.rennes_user, cast.reims) is None


def test_a_person_owns_the_application_that_the_person_makes(cast: Cast) -> None:
    application = create_application(
        by=cast.rennes_user, institution=cast.rennes, name="  my notes "
    )

    assert application.owner == cast.rennes_user
    assert application.name == "my notes"


def test_nobody_makes_an_application_in_somebody_elses_name(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        create_application(
            by=cast.rennes_user, institution=cast.rennes, name="x", owner=cast.rennes_dsi
        )


def test_an_owner_has_a_role_at_the_institution(cast: Cast) -> None:
    with pytest.raises(ValidationError) as refused:
        create_application(
            by=cast.rennes_dsi, institution=cast.rennes, name="x", owner=cast.orleans_user
        )

    assert refused.value.code == "owner_elsewhere"


@pytest.mark.parametrize("state", [MembershipState.SUSPENDED, MembershipState.CANDIDATE])
def test_no_key_is_issued_for_an_institution_that_is_no_approved_member(
    cast: Cast, state: MembershipState
) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    Membership.objects.filter(institution=cast.rennes).update(state=state)

    with pytest.raises(ValidationError) as refused:
        issue_key(by=cast.rennes_user, application=application, name="essai")

    assert refused.value.code == "not_approved"


def test_a_key_may_be_revoked_whatever_became_of_the_membership(world: World) -> None:
    Membership.objects.update(state=MembershipState.SUSPENDED)

    revoked = revoke_key(by=world.cast.rennes_dsi, key=world.key, reason=" leaked ")

    assert revoked.revoked_reason == "leaked"
    assert not ApiKey.objects.usable().filter(pk=world.key.pk).exists()


def test_a_key_is_revoked_once(world: World) -> None:
    revoke_key(by=OPERATOR, key=world.key, reason="leaked")

    with pytest.raises(ValidationError) as refused:
        revoke_key(by=OPERATOR, key=world.key, reason="again")
    assert refused.value.code == "revoked"


def test_a_key_is_not_revoked_without_a_reason_that_can_be_kept(world: World) -> None:
    for reason in ("", "   ", "x" * 201):
        with pytest.raises(ValidationError):
            revoke_key(by=OPERATOR, key=world.key, reason=reason)

    world.key.refresh_from_db()
    assert world.key.is_usable


def test_a_key_with_a_wrong_field_is_refused(cast: Cast) -> None:
    application = make_application(cast.rennes)
    wrong: list[dict[str, Any]] = [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"origins": ["https://" + "x" * 200]},
    ]

    for fields in wrong:
        with pytest.raises(ValidationError):
            issue_key(by=OPERATOR, application=application, **{"name": "essai", **fields})

    assert not application.keys.exists()


def test_a_key_is_usable_until_the_moment_it_expires(cast: Cast) -> None:
    application = make_application(cast.rennes)
    soon = timezone.now() + timedelta(hours=1)
    key, _secret = issue_key(by=OPERATOR, application=application, name="x", expires_at=soon)
    assert key.is_usable

    past = timezone.now() - timedelta(seconds=1)
    ApiKey.objects.filter(pk=key.pk).update(created_at=past - timedelta(days=1), expires_at=past)
    key.refresh_from_db()

    assert not key.is_usable
    assert not ApiKey.objects.usable().filter(pk=key.pk).exists()


def test_the_owner_of_an_application_manages_it_no_more_after_leaving_the_institution(
    world: World,
) -> None:
    world.cast.rennes_user.role_grants.all().delete()
    gone = User.objects.get(pk=world.cast.rennes_user.pk)

    with pytest.raises(PermissionDenied):
        issue_key(by=gone, application=world.users_application, name="x")
