"""The list of keys, and their end: who sees which, who may revoke, and what stays visible afterwards."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from federation.access.models import ApiKey
from federation.access.operations import issue_key
from federation.journal.models import AuditEvent
from federation.members.enums import MembershipState
from federation.members.operations import change_membership_state
from federation.people.enums import Role
from tests.support.factories import OPERATOR, Cast, make_application, make_key, make_user
from tests.support.pages import queries_of, signed_in_as


def listed(browser: Client, query: str = "") -> str:
    page = browser.get(f"/keys/{query}")
    assert page.status_code == 200
    return page.content.decode()


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    """A key of the user in Rennes."""
    made, _text = make_key(
        make_application(cast.rennes, cast.rennes_user, "carnet"), name="portable"
    )
    return made


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("admin", True),
        ("auditor", True),
        ("rennes_dsi", True),
        ("rennes_user", True),
        ("reims_dsi", False),
        ("orleans_user", False),
        ("intruder", False),
    ],
)
def test_a_key_is_listed_for_its_owner_those_above_and_nobody_else(
    cast: Cast, key: ApiKey, who: str, sees: bool
) -> None:
    page = listed(signed_in_as(cast.people()[who]))

    assert (f"{key.prefix}…{key.last4}" in page) is sees
    assert ("carnet" in page) is sees


@pytest.mark.parametrize("page", ["/keys/", "/keys/new/"])
def test_a_visitor_signs_in_first(cast: Cast, page: str) -> None:
    answer = Client().get(page)

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/account/login/?next={page}"


def test_someone_without_a_key_is_led_to_make_one(cast: Cast) -> None:
    assert '/keys/new/"' in listed(signed_in_as(cast.rennes_user))
    assert '/keys/new/"' not in listed(signed_in_as(cast.intruder))


@pytest.mark.parametrize(
    "query", ["?page=0", "?page=-1", "?page=nonsense", "?page=9999999", "?page=%00"]
)
def test_a_page_that_is_not_there_is_the_nearest_one(cast: Cast, key: ApiKey, query: str) -> None:
    assert key.prefix in listed(signed_in_as(cast.rennes_user), query)


def test_keys_that_are_over_are_listed_apart_with_the_reason(cast: Cast, key: ApiKey) -> None:
    expired, _text = make_key(key.application, name="ancienne")
    ApiKey.objects.filter(pk=expired.pk).update(
        created_at=timezone.now() - timedelta(days=2), expires_at=timezone.now() - timedelta(days=1)
    )
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now(), revoked_reason="fuite")
    browser = signed_in_as(cast.rennes_user)

    assert key.prefix not in listed(browser)
    over = listed(browser, "?ended=1")
    assert key.prefix in over
    assert "fuite" in over
    assert ">révoquée<" in over
    assert expired.prefix in over
    assert "/revoke/" not in over


def test_a_key_of_a_suspended_member_is_said_to_be_refused(cast: Cast, key: ApiKey) -> None:
    membership = cast.rennes.memberships.get()
    change_membership_state(by=OPERATOR, membership=membership, state=MembershipState.SUSPENDED)

    assert "bg-yellow-lt" in listed(signed_in_as(cast.rennes_user))


def test_the_list_takes_as_many_queries_for_three_keys_as_for_one(cast: Cast, key: ApiKey) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    one = queries_of(browser, "/keys/")
    for number in range(2):
        other = make_application(cast.rennes, cast.rennes_dsi, f"application {number}")
        make_key(other)
        make_key(other, name="seconde")

    assert queries_of(browser, "/keys/") == one


def test_its_owner_revokes_a_key_and_says_why(cast: Cast, key: ApiKey) -> None:
    browser = signed_in_as(cast.rennes_user)

    asked = browser.get(f"/keys/{key.pk}/revoke/")
    answer = browser.post(f"/keys/{key.pk}/revoke/", {"reason": "fuite"})

    assert asked.status_code == 200
    assert (answer.status_code, answer.headers["Location"]) == (302, "/keys/")
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert key.revoked_reason == "fuite"
    assert AuditEvent.objects.get(verb="access.revoke_key").object_id == str(key.pk)
    assert [str(message) for message in get_messages(answer.wsgi_request)]


def test_asking_for_the_page_revokes_nothing(cast: Cast, key: ApiKey) -> None:
    signed_in_as(cast.rennes_user).get(f"/keys/{key.pk}/revoke/?reason=fuite")

    key.refresh_from_db()
    assert key.revoked_at is None


@pytest.mark.parametrize("reason", ["", "   ", "a" * 201, "a\0b", "a\nb"])
def test_a_key_is_not_revoked_without_a_readable_reason(
    cast: Cast, key: ApiKey, reason: str
) -> None:
    answer = signed_in_as(cast.rennes_user).post(f"/keys/{key.pk}/revoke/", {"reason": reason})

    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_key_is_revoked_once(cast: Cast, key: ApiKey) -> None:
    browser = signed_in_as(cast.rennes_user)
    browser.post(f"/keys/{key.pk}/revoke/", {"reason": "fuite"})

    again = browser.post(f"/keys/{key.pk}/revoke/", {"reason": "autre chose"})

    assert again.status_code == 200
    key.refresh_from_db()
    assert key.revoked_reason == "fuite"
    assert AuditEvent.objects.filter(verb="access.revoke_key").count() == 1


@pytest.mark.parametrize("who", ["reims_dsi", "orleans_user", "intruder"])
def test_another_s_key_is_not_there(cast: Cast, key: ApiKey, who: str) -> None:
    browser = signed_in_as(cast.people()[who])

    assert browser.get(f"/keys/{key.pk}/revoke/").status_code == 404
    assert browser.post(f"/keys/{key.pk}/revoke/", {"reason": "jeu"}).status_code == 404
    assert browser.get(f"/usage/first-call/{key.pk}/").status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_who_only_oversees_a_key_may_not_revoke_it(cast: Cast, key: ApiKey) -> None:
    finance = make_user("rennes_finance", Role.MEMBER_FINANCE, cast.rennes)

    for browser in (signed_in_as(finance), signed_in_as(cast.auditor)):
        assert key.prefix in listed(browser)
        assert f"/keys/{key.pk}/revoke/" not in listed(browser)
        assert browser.get(f"/keys/{key.pk}/revoke/").status_code == 403
        assert browser.post(f"/keys/{key.pk}/revoke/", {"reason": "jeu"}).status_code == 403


@pytest.mark.parametrize(
    "address", ["/keys/nonsense/revoke/", "/keys/0199aaaa-0000-7000-8000-000000000000/revoke/"]
)
def test_a_key_that_never_was_is_not_there(cast: Cast, address: str) -> None:
    assert signed_in_as(cast.admin).get(address).status_code == 404


def test_a_list_shows_what_a_key_is_bound_to(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    issue_key(
        by=OPERATOR,
        application=application,
        name="bound",
        labels=["HDS"],
        networks=["192.0.2.0/24"],
        endpoints=["embeddings"],
    )

    page = signed_in_as(cast.rennes_user).get("/keys/").content.decode()

    assert "hds, embeddings, 192.0.2.0/24" in page


def test_the_people_of_a_suspended_institution_are_told_why_they_make_no_key(cast: Cast) -> None:
    change_membership_state(
        by=OPERATOR,
        membership=cast.rennes.memberships.get(),
        state=MembershipState.SUSPENDED,
        reason="a server leaks",
    )

    page = signed_in_as(cast.rennes_dsi).get("/keys/new/").content.decode()

    assert "Adhésion suspendue" in page
    assert str(cast.rennes) in page
    assert 'href="/membership/"' in page
    assert (
        "Adhésion suspendue" not in signed_in_as(cast.intruder).get("/keys/new/").content.decode()
    )
