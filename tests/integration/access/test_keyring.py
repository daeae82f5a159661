"""A key is replaced by one that may do the same, with an overlap; people's keys end by themselves."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from federation.access.fields import end_of
from federation.access.keyring import replace_key, revoke_keys
from federation.access.keys import KEY_PATTERN
from federation.access.models import ApiKey, Limit
from federation.access.operations import issue_key, set_limit
from federation.access.policies import LONGEST_LIFE
from federation.journal.models import AuditEvent
from routing.core.enums import Measure, PriorityClass, RoutingMode
from routing.core.keys import digest
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_model,
)
from tests.support.pages import signed_in_as

SOON = timedelta(days=7)


def test_a_new_key_may_do_what_the_old_one_could_with_the_same_limits(cast: Cast) -> None:
    model = make_model("a")
    old, _text = issue_key(
        by=OPERATOR,
        application=make_application(cast.rennes, cast.rennes_user),
        name="production",
        priority=PriorityClass.P5,
        routing_mode=RoutingMode.PRIVATE_FIRST,
        models=[model],
        origins=["https://chat.example.fr"],
        endpoints=["embeddings"],
        networks=["192.0.2.0/24"],
        labels=["HDS"],
        tells=["carbon"],
        threshold=3,
        answers_200_when_full=True,
    )
    set_limit(by=OPERATOR, owner=old, measure=Measure.REQUESTS_PER_DAY, most=10)
    until = timezone.now() + SOON

    new, secret = replace_key(by=cast.rennes_user, key=old, old_until=until)

    old.refresh_from_db()
    for same in (
        *("name", "priority", "routing_mode", "origins", "endpoints", "networks", "labels"),
        *("tells", "threshold", "answers_200_when_full", "application_id"),
    ):
        assert getattr(new, same) == getattr(old, same), same
    assert list(new.models.all()) == [model]
    assert Limit.objects.in_force().get(key=new).most == 10
    assert new.digest == digest(settings.PEPPER.encode(), secret.reveal()) != old.digest
    assert (new.replaces, old.expires_at, old.is_usable, new.is_usable) == (old, until, True, True)
    assert new.expires_at is not None
    assert AuditEvent.objects.filter(verb="access.replace_key", object_id=str(old.pk)).count() == 1


def test_an_old_key_that_ends_sooner_is_not_made_to_last(cast: Cast, key: ApiKey) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=tomorrow)

    replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + SOON)

    key.refresh_from_db()
    assert key.expires_at == tomorrow


def test_a_key_is_replaced_once_unless_its_successor_has_ended(cast: Cast, key: ApiKey) -> None:
    new, _secret = replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + SOON)
    with pytest.raises(ValidationError):
        replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + SOON)

    revoke_keys(by=cast.rennes_dsi, institution=cast.rennes, key_ids=[new.pk], reason="lost")
    replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + SOON)

    assert key.successors.count() == 2


@pytest.mark.parametrize("days", [-1, 0, 32])
def test_both_work_for_thirty_days_at_most(cast: Cast, key: ApiKey, days: int) -> None:
    with pytest.raises(ValidationError):
        replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + timedelta(days=days))
    assert ApiKey.objects.count() == 1


def test_a_key_that_has_ended_is_not_replaced(cast: Cast, key: ApiKey) -> None:
    revoke_keys(by=cast.rennes_dsi, institution=cast.rennes, key_ids=[key.pk], reason="leaked")
    with pytest.raises(ValidationError):
        replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + SOON)


def test_only_who_manages_it_replaces_it(cast: Cast, key: ApiKey) -> None:
    for person in (cast.reims_dsi, cast.auditor, cast.intruder, cast.orleans_user):
        with pytest.raises(PermissionDenied):
            replace_key(by=person, key=key, old_until=timezone.now() + SOON)


def test_the_page_shows_the_new_key_once_and_the_list_says_what_happens(
    cast: Cast, key: ApiKey
) -> None:
    browser = signed_in_as(cast.rennes_user)
    until = timezone.localdate() + SOON

    page = browser.post(f"/keys/{key.pk}/replace/", {"old_until": until.isoformat()})

    found = KEY_PATTERN.search(page.content.decode())
    assert found
    key.refresh_from_db()
    assert key.expires_at == end_of(until)
    listed = browser.get("/keys/").content.decode()
    assert "en remplacement" in listed
    assert f"/keys/{key.pk}/replace/" not in listed
    assert found[0] not in listed
    again = browser.post(f"/keys/{key.pk}/replace/", {"old_until": until.isoformat()})
    assert not KEY_PATTERN.search(again.content.decode())


def test_a_person_s_key_ends_after_a_year_and_never_later_than_after_two(cast: Cast) -> None:
    application = make_application(cast.rennes, cast.rennes_user)
    made, _text = issue_key(by=cast.rennes_user, application=application, name="k")
    assert made.expires_at is not None
    assert timedelta(days=364) < made.expires_at - timezone.now() <= timedelta(days=365)

    too_late = timezone.now() + LONGEST_LIFE + timedelta(days=2)
    for person in (cast.rennes_user, cast.admin):
        with pytest.raises(ValidationError):
            issue_key(by=person, application=application, name="k", expires_at=too_late)
    endless, _text = issue_key(by=OPERATOR, application=application, name="from elsewhere")
    assert endless.expires_at is None
