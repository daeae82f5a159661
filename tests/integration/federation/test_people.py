"""Accounts, roles and the first administrator's link."""

from datetime import timedelta
from functools import partial

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from federation.people.enums import Role
from federation.people.models import FirstAdminLink, RoleGrant, User
from federation.people.operations import (
    claim_first_admin,
    close_account,
    create_user,
    grant_role,
    make_first_admin_link,
    set_password,
)
from federation.people.queries import first_admin_link_is_usable
from routing.core.keys import digest
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, PASSWORD, Cast


def open_account(
    email: str = "new@example.org", name: str = "New", password: str = PASSWORD
) -> User:
    return create_user(by=OPERATOR, email=email, name=name, password=password)


def claim(token: str, email: str = "first@example.org") -> User:
    return claim_first_admin(token=token, email=email, name="First", password=PASSWORD)


def test_an_account_has_an_address_that_the_federation_vouches_for(db: None) -> None:
    user = open_account(" New@Example.ORG ", " New ")

    assert (user.email, user.name) == ("new@example.org", "New")
    assert user.check_password(PASSWORD)
    address = EmailAddress.objects.get(user=user)
    assert (address.email, address.verified, address.primary) == ("new@example.org", True, True)
    assert not user.is_staff
    assert not user.grants


def test_an_account_is_found_by_its_address_whatever_its_case(cast: Cast) -> None:
    assert User.objects.get_by_natural_key("ADMIN@example.org") == cast.admin


@pytest.mark.parametrize(
    ("email", "name", "password"),
    [
        ("new@example.org", "New", "short"),
        ("new@example.org", "New", "password1234"),
        ("new@example.org", "New", ""),
        ("new.person@example.org", "New", "new.person@example.org"),
        ("no address", "New", PASSWORD),
        ("", "New", PASSWORD),
        ("new@example.org", "  ", PASSWORD),
        ("new@example.org", "x" * 151, PASSWORD),
        ("a" * 250 + "@example.org", "New", PASSWORD),
    ],
)
def test_an_account_with_bad_input_is_refused(
    db: None, email: str, name: str, password: str
) -> None:
    with pytest.raises(ValidationError):
        open_account(email, name, password)

    assert not User.objects.exists()


def test_an_address_has_one_account(cast: Cast) -> None:
    with pytest.raises(ValidationError):
        open_account("Rennes_User@example.org")


def test_a_new_password_opens_the_account_and_the_old_one_does_not(cast: Cast) -> None:
    set_password(by=OPERATOR, user=cast.rennes_user, password="bruyère d'automne 7")

    kept = User.objects.get(pk=cast.rennes_user.pk)
    assert kept.check_password("bruyère d'automne 7")
    assert not kept.check_password(PASSWORD)


def test_a_weak_new_password_leaves_the_old_one(cast: Cast) -> None:
    with pytest.raises(ValidationError):
        set_password(by=OPERATOR, user=cast.rennes_user, password="short")

    assert User.objects.get(pk=cast.rennes_user.pk).check_password(PASSWORD)


def test_a_role_is_in_force_on_the_same_account_at_once(cast: Cast) -> None:
    assert not cast.intruder.has_role(Role.USER, cast.reims.pk)

    grant_role(by=OPERATOR, user=cast.intruder, role=Role.USER, institution_id=cast.reims.pk)

    assert cast.intruder.has_role(Role.USER, cast.reims.pk)
    assert not cast.intruder.has_role(Role.USER, cast.rennes.pk)
    assert not cast.intruder.has_role(Role.USER)


@pytest.mark.parametrize("role", list(Role))
def test_only_an_administrator_may_open_the_registers_tables(cast: Cast, role: Role) -> None:
    federation = role in {Role.FEDERATION_ADMIN, Role.AUDITOR, Role.FINANCE}

    grant_role(
        by=OPERATOR,
        user=cast.intruder,
        role=role,
        institution_id=None if federation else cast.rennes.pk,
    )

    assert User.objects.get(pk=cast.intruder.pk).is_staff == (role == Role.FEDERATION_ADMIN)


def test_a_role_is_given_once_and_where_it_belongs(cast: Cast) -> None:
    before = RoleGrant.objects.count()
    wrong = (
        (cast.auditor, Role.AUDITOR, None),
        (cast.rennes_dsi, Role.MEMBER_DSI, cast.rennes.pk),
        (cast.intruder, Role.MEMBER_DSI, None),
        (cast.intruder, Role.AUDITOR, cast.rennes.pk),
        (cast.intruder, "king", None),
    )

    for user, role, institution_id in wrong:
        with pytest.raises(ValidationError):
            grant_role(by=OPERATOR, user=user, role=role, institution_id=institution_id)

    assert RoleGrant.objects.count() == before


def test_a_closed_account_holds_no_role(cast: Cast) -> None:
    cast.admin.is_active = False
    cast.admin.save()

    closed = User.objects.get(pk=cast.admin.pk)

    assert not closed.grants
    assert not closed.sees_everything


def test_the_first_administrator_comes_by_a_link_that_is_kept_as_a_digest(db: None) -> None:
    token = make_first_admin_link(by=OPERATOR)
    link = FirstAdminLink.objects.get()
    assert link.digest == digest(settings.PEPPER.encode(), token)
    assert first_admin_link_is_usable(token)

    user = claim(token)

    assert user.has_role(Role.FEDERATION_ADMIN)
    assert user.is_staff
    assert not first_admin_link_is_usable(token)


def test_a_link_works_once(db: None) -> None:
    token = make_first_admin_link(by=OPERATOR)
    claim(token)
    RoleGrant.objects.all().delete()

    with pytest.raises(ValidationError) as refused:
        claim(token, "second@example.org")

    assert refused.value.code == "link_invalid"


def test_a_link_works_for_a_day(db: None) -> None:
    token = make_first_admin_link(by=OPERATOR)
    past = timezone.now() - timedelta(hours=25)
    FirstAdminLink.objects.update(created_at=past, expires_at=past + timedelta(hours=24))

    with pytest.raises(ValidationError) as refused:
        claim(token)

    assert refused.value.code == "link_invalid"
    assert not first_admin_link_is_usable(token)


@pytest.mark.parametrize("token", ["", "x", "é" * 50, "x" * 10_000])
def test_a_wrong_token_opens_nothing(db: None, token: str) -> None:
    make_first_admin_link(by=OPERATOR)

    assert not first_admin_link_is_usable(token)
    with pytest.raises(ValidationError):
        claim(token)


def test_a_link_is_of_no_use_once_there_is_an_administrator(db: None) -> None:
    first, second = make_first_admin_link(by=OPERATOR), make_first_admin_link(by=OPERATOR)
    claim(first)

    with pytest.raises(ValidationError) as refused:
        claim(second, "second@example.org")

    assert refused.value.code == "administrator_exists"
    assert not first_admin_link_is_usable(second)
    with pytest.raises(ValidationError):
        make_first_admin_link(by=OPERATOR)


def test_a_claim_with_bad_input_uses_no_link_up(db: None) -> None:
    token = make_first_admin_link(by=OPERATOR)

    with pytest.raises(ValidationError):
        claim(token, "no address")

    assert first_admin_link_is_usable(token)
    assert not User.objects.exists()


def test_when_the_only_administrator_is_gone_a_new_link_may_be_made(cast: Cast) -> None:
    User.objects.filter(pk=cast.admin.pk).update(is_active=False)

    assert first_admin_link_is_usable(make_first_admin_link(by=OPERATOR))


@pytest.mark.django_db(transaction=True)
def test_two_links_used_at_once_make_one_administrator(transactional_db: None) -> None:
    tokens = [make_first_admin_link(by=OPERATOR) for _ in range(2)]

    def use(token: str, number: int) -> None:
        try:
            claim(token, f"admin{number}@example.org")
        except ValidationError:
            return

    at_once([partial(use, token, number) for number, token in enumerate(tokens)])

    assert RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN).count() == 1
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_close_each_other_leave_one(transactional_db: None) -> None:
    people = [open_account(f"admin{number}@example.org") for number in range(2)]
    for person in people:
        grant_role(by=OPERATOR, user=person, role=Role.FEDERATION_ADMIN)

    def close(by: User, other: User) -> None:
        try:
            close_account(by=by, user=other)
        except ValidationError:
            return

    at_once([partial(close, *people), partial(close, *reversed(people))])

    assert User.objects.filter(is_active=True).count() == 1
