"""The outbox: what is told leaves once, after its transaction, whatever the mail server does meanwhile."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import Settings

from federation.people.enums import Language
from federation.people.letters import Letter, page_address
from federation.people.models import Mail, User
from federation.people.operations import open_service_account
from federation.people.post import (
    GIVEN_UP,
    LONGEST_PAUSE,
    SEND,
    post,
    post_each,
    send_due,
    withdraw,
)
from federation.people.queries import LATE, late_mail
from tests.integration.federation.crowd import at_once
from tests.support.factories import Cast, make_cast, make_user
from tests.support.mail_server import MailServer, mail_server
from tests.support.pages import signed_in_as
from tests.support.post import deliver, recipients

SECRET = "https://example.org/a-secret-link"


def hello() -> Letter:
    return Letter("A word\nto you", ("First.", "", SECRET))


def first_page(client: Client) -> str:
    return client.get("/", headers={"accept-language": "en"}).content.decode()


def waited(**fields: object) -> None:
    """Bring every letter to the moment of its next try."""
    Mail.objects.update(next_try_at=timezone.now(), **fields)


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    with mail_server() as there:
        settings.EMAIL_PORT = there.port
        yield there


def test_a_letter_greets_and_signs_in_its_readers_language(cast: Cast) -> None:
    cast.admin.language = Language.ENGLISH
    post(cast.admin, hello)
    post("stranger@example.org", hello, language=Language.FRENCH)

    english, french = deliver()

    assert english.subject == "[ILaaS] A word to you"
    assert english.body == f"Hello,\n\nFirst.\n\n{SECRET}\n\n-- \nILaaS\n"
    assert french.to == ["stranger@example.org"]
    assert str(french.body).startswith("Bonjour,\n\n")


def test_an_address_of_a_page_is_whole(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://ilaas.example"

    assert page_address("account_login") == "https://ilaas.example/account/login/"


def test_what_waits_is_sealed_and_forgotten_once_it_has_left(cast: Cast) -> None:
    post(cast.admin, hello)
    assert SECRET not in str(Mail.objects.values().get())

    assert len(deliver()) == 1

    assert not Mail.objects.exists()
    assert deliver() == []


def test_nothing_goes_to_closed_accounts_nor_to_programs(cast: Cast) -> None:
    program = open_service_account(name="nightly", institution_id=cast.rennes.pk)
    User.objects.filter(pk=cast.reims_dsi.pk).update(is_active=False)
    closed = User.objects.get(pk=cast.reims_dsi.pk)

    assert not post(program, hello)
    assert not post(closed, hello)
    assert not post(closed.email.upper(), hello)
    assert post_each([program, closed, cast.admin], hello) == [cast.admin]
    User.objects.filter(pk=cast.admin.pk).update(is_active=False)

    assert deliver() == []
    assert not Mail.objects.exists()


def test_a_letter_that_is_withdrawn_or_too_late_does_not_leave(cast: Cast) -> None:
    post(cast.admin, hello, topic="one")
    post(cast.auditor, hello, topic="two")
    post(cast.rennes_dsi, hello, until=timezone.now())

    assert withdraw("one", "three") == {cast.admin.pk}

    assert recipients() == [cast.auditor.email]
    assert not Mail.objects.exists()


def test_what_no_key_opens_any_more_keeps_nobody_waiting(cast: Cast) -> None:
    post(cast.admin, hello)
    Mail.objects.update(sealed="nonsense")
    post(cast.auditor, hello)

    assert recipients() == [cast.auditor.email]
    assert not Mail.objects.exists()


def test_a_letter_is_handed_over_to_the_mail_server(cast: Cast, server: MailServer) -> None:
    post(cast.admin, hello)

    assert send_due() == 1

    (letter,) = server.taken
    assert (letter["To"], letter["Subject"]) == (cast.admin.email, "[ILaaS] A word to you")
    assert SECRET in letter.get_content()


def test_an_address_that_is_refused_keeps_nobody_else_waiting(
    cast: Cast, server: MailServer
) -> None:
    server.refuses = {cast.admin.email}
    post_each([cast.admin, cast.auditor, cast.rennes_dsi], hello)

    assert send_due() == 2
    assert send_due() == 0

    assert server.read_by() == sorted([cast.auditor.email, cast.rennes_dsi.email])
    waiting = Mail.objects.get()
    assert (waiting.person, waiting.tries) == (cast.admin, 1)
    assert waiting.failure == "550 5.1.1 nobody here by that name"
    assert waiting.next_try_at > timezone.now()
    server.refuses = set()
    waited()
    assert send_due() == 1


def test_a_server_that_hangs_up_is_asked_for_one_letter_a_round(
    cast: Cast, server: MailServer
) -> None:
    server.hangs_up = True
    post_each([cast.admin, cast.auditor, cast.rennes_dsi], hello)

    assert send_due() == 0
    assert server.connections == 1
    assert send_due() == 0
    assert server.connections == 2

    server.hangs_up = False
    assert send_due() == 1
    waited()
    assert send_due() == 2
    assert len(set(server.read_by())) == 3


def test_a_server_that_is_away_and_comes_back_gets_what_waited(
    cast: Cast, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    with mail_server() as gone:
        settings.EMAIL_PORT = gone.port
    post_each([cast.admin, cast.auditor], hello)
    assert send_due() == 0
    assert sum(Mail.objects.values_list("tries", flat=True)) == 1

    with mail_server(gone.port) as back:
        waited()
        assert send_due() == 2

    assert back.read_by() == sorted([cast.admin.email, cast.auditor.email])


def test_pauses_grow_and_a_letter_is_given_up_after_three_days(
    cast: Cast, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuses = {cast.admin.email}
    post(cast.admin, hello, topic="test")
    pauses = []
    for _ in range(6):
        waited()
        send_due()
        pauses.append(Mail.objects.get().next_try_at - timezone.now())
    minutes = [round(pause.total_seconds() / 60) for pause in pauses]
    assert minutes == [2, 4, 8, 16, 30, 30]
    assert max(pauses) <= LONGEST_PAUSE

    waited(created_at=timezone.now() - GIVEN_UP)
    with caplog.at_level(logging.ERROR):
        send_due()

    assert not Mail.objects.exists()
    assert "given up after 6 tries: 550" in caplog.text
    assert SECRET not in caplog.text


def test_a_round_ends_and_the_next_goes_on(cast: Cast) -> None:
    post_each([cast.admin, cast.auditor], hello)

    assert send_due(longest=timedelta(0)) == 1

    assert [task.func() for task in OrmQ.objects.all()] == [SEND]
    assert len(deliver()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_wakes_the_worker_once_and_one_that_fails_tells_nothing() -> None:
    cast = make_cast()
    OrmQ.objects.all().delete()

    @transaction.atomic
    def fail() -> None:
        post(cast.admin, hello)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        fail()
    assert (Mail.objects.count(), OrmQ.objects.count()) == (0, 0)

    with transaction.atomic():
        post_each([cast.admin, cast.auditor], hello)
    assert [task.func() for task in OrmQ.objects.all()] == [SEND]


@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_send_a_letter_once(server: MailServer) -> None:
    readers = [make_user(f"reader{number}") for number in range(12)]
    post_each(readers, hello)

    at_once([send_due] * 3)

    assert server.read_by() == sorted(reader.email for reader in readers)
    assert not Mail.objects.exists()


def test_an_administrator_sees_that_mail_does_not_leave(cast: Cast, server: MailServer) -> None:
    server.refuses = {cast.auditor.email}
    post(cast.auditor, hello)
    assert late_mail() is None

    Mail.objects.update(created_at=timezone.now() - LATE)
    assert "the worker does not run" in first_page(signed_in_as(cast.admin))

    send_due()

    page = first_page(signed_in_as(cast.admin))
    assert "1 e-mail waits to be sent" in page
    assert "550 5.1.1 nobody here by that name" in page
    assert "e-mail waits" not in first_page(signed_in_as(cast.rennes_dsi))
    assert "e-mail waits" not in first_page(Client())


def test_the_clock_wakes_the_worker_for_what_could_not_be_sent(db: None) -> None:
    # Told again here: a test that empties every table may have run before.
    import_module("federation.people.migrations.0005_outbox").schedule(apps, None)

    scheduled = Schedule.objects.get(func=SEND)

    assert (scheduled.schedule_type, scheduled.minutes) == (Schedule.MINUTES, 2)


def test_a_letter_of_allauths_leaves_at_once(cast: Cast) -> None:
    Client().post("/account/password/reset/", {"email": cast.admin.email})

    assert [letter.to for letter in mail.outbox] == [[cast.admin.email]]
