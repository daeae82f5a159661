"""Whoever answers for a key hears of its end two weeks before, once, in their language."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from pytest_django import Settings

from federation.access.keyring import replace_key
from federation.access.models import ApiKey
from federation.access.operations import add_manager, change_key, revoke_key
from federation.access.tasks import REMINDED_BEFORE, remind_of_ends
from federation.people.enums import Language
from federation.people.models import User
from tests.support.factories import OPERATOR, Cast, make_application, make_key

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

    (told,) = mail.outbox
    assert told.to == [cast.rennes_user.email]
    assert "works until" in told.subject
    assert f"/keys/{ending.pk}/replace/" in told.body


def test_another_end_is_told_again(cast: Cast, ending: ApiKey) -> None:
    remind_of_ends()
    change_key(by=cast.rennes_user, key=ending, expires_at=timezone.now() + DAY)

    remind_of_ends()

    assert len(mail.outbox) == 2


def test_nobody_is_told_of_what_lasts_is_replaced_or_revoked(cast: Cast, key: ApiKey) -> None:
    remind_of_ends()
    replace_key(by=cast.rennes_user, key=key, old_until=timezone.now() + DAY)
    remind_of_ends()
    revoke_key(by=OPERATOR, key=key, reason="leak")
    remind_of_ends()

    assert mail.outbox == []


class Refusing(EmailBackend):
    """Takes no mail to the IT department."""

    def send_messages(self, messages: Any) -> int:
        if any("rennes_dsi" in address for message in messages for address in message.to):
            raise SMTPRecipientsRefused({})
        return int(super().send_messages(messages))


def test_an_address_that_is_refused_keeps_nobody_else_from_being_told(
    cast: Cast, ending: ApiKey, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    add_manager(by=OPERATOR, application=ending.application, manager=cast.rennes_dsi)
    other, _text = make_key(make_application(cast.rennes, cast.rennes_dsi, "alone"))
    ApiKey.objects.filter(pk=other.pk).update(expires_at=ending.expires_at)

    remind_of_ends()
    remind_of_ends()

    assert [message.to for message in mail.outbox] == [[cast.rennes_user.email]]
    other.refresh_from_db()
    assert other.reminded_of is None  # to be tried again
