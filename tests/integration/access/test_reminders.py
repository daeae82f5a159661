"""Whoever answers for a key hears of its end two weeks before, once, in their language."""

from datetime import timedelta

import pytest
from django.utils import timezone

from federation.access.keyring import replace_key
from federation.access.models import ApiKey
from federation.access.operations import change_key, revoke_key
from federation.access.tasks import REMINDED_BEFORE, remind_of_ends
from federation.people.enums import Language
from federation.people.models import Mail, User
from tests.support.factories import OPERATOR, Cast
from tests.support.post import deliver, recipients

DAY = timedelta(days=1)


@pytest.fixture
def ending(key: ApiKey) -> ApiKey:
    key.expires_at = timezone.now() + REMINDED_BEFORE - DAY
    key.save()
    return key


def test_one_is_told_once_in_ones_language(cast: Cast, ending: ApiKey) -> None:
    User.objects.filter(pk=cast.rennes_user.pk).update(language=Language.ENGLISH)

    remind_of_ends()
    remind_of_ends()

    (told,) = deliver()
    assert told.to == [cast.rennes_user.email]
    assert "works until" in told.subject
    assert f"/keys/{ending.pk}/replace/" in told.body


def test_another_end_is_told_again(cast: Cast, ending: ApiKey) -> None:
    remind_of_ends()
    change_key(by=cast.rennes_user, key=ending, expires_at=timezone.now() + DAY)

    remind_of_ends()

    assert len(deliver()) == 2


def test_nobody_is_told_of_what_lasts_is_replaced_or_revoked(cast: Cast, key: ApiKey) -> None:
    remind_of_ends()
    replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + DAY)
    remind_of_ends()
    revoke_key(by=OPERATOR, key=key, reason="leak")
    remind_of_ends()

    assert deliver() == []


def test_a_key_that_nobody_answers_for_is_looked_at_again(cast: Cast, ending: ApiKey) -> None:
    User.objects.exclude(pk=cast.admin.pk).update(is_active=False)
    remind_of_ends()
    assert recipients() == []

    User.objects.filter(pk=cast.rennes_user.pk).update(is_active=True)
    remind_of_ends()

    assert recipients() == [cast.rennes_user.email]


def test_what_could_not_be_said_before_the_end_is_not_said_after_it(ending: ApiKey) -> None:
    remind_of_ends()
    Mail.objects.update(until=timezone.now())

    assert recipients() == []
    assert not Mail.objects.exists()
