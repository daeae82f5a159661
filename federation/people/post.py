"""The outbox: an e-mail is a row of the transaction that it tells of, and leaves once that holds.

The worker sends (`tasks.send_mails`), woken by each such transaction, and by the clock for what could not be sent. A
row is deleted once its letter has left, or is given up; a worker that is killed in between sends this one again.
Not here: what somebody waits for before the screen, which allauth sends at once (`adapter`).
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPResponseException
from uuid import UUID

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction
from django.dispatch import Signal
from django.utils import timezone
from django_q.tasks import async_task

from federation.people.enums import SERVICE_ACCOUNTS
from federation.people.letters import Wording, worded
from federation.people.models import Mail, User
from routing.upstream.credentials import Secret, UnsealError, load_keys, seal, unseal

REFUSED = (SMTPRecipientsRefused, SMTPDataError, ValueError)
"""One letter is not taken, or cannot be written; the mail server is there, and others may be."""
GIVEN_UP = timedelta(days=3)
"""How long a letter is tried: through a weekend without a mail server, not for ever at an address that is refused."""
LONGEST_PAUSE = timedelta(minutes=30)
ROUND = timedelta(minutes=1)
"""How long the worker sends before it does something else."""
SEND = "federation.people.tasks.send_mails"
logger = logging.getLogger(__name__)

sent = Signal()
"""A letter has left: `topic`, `person_id` (None: no account's). Called inside the transaction that forgets it."""


class Outcome(Enum):
    SENT = "sent"
    REFUSED = "refused"
    DROPPED = "dropped"
    AWAY = "the mail server is away"
    NOTHING = "nothing is due"


def post(
    to: User | str,
    wording: Wording,
    *,
    language: str = settings.LANGUAGE_CODE,
    topic: str = "",
    until: datetime | None = None,
) -> bool:
    """Have a letter sent once the transaction holds, worded now. Return False when this reader gets none.

    Nothing goes to an account that is closed, nor to a program's. `language` is for an address without an account.
    After `until` it is not sent any more; `topic` is for `withdraw`.
    """
    reader = to if isinstance(to, User) else User.objects.filter(email__iexact=to).first()
    address = reader.email if reader else str(to)
    if address.endswith(f"@{SERVICE_ACCOUNTS}") or (reader and not reader.is_active):
        return False
    heading, text = worded(reader.language if reader else language, wording)
    mail = Mail(address=address, person=reader, topic=topic, until=until)
    mail.sealed = seal(str(mail.pk), Secret(f"{heading}\n{text}"), _keys())
    mail.save()
    if _wake_worker not in (entry[1] for entry in connection.run_on_commit):
        transaction.on_commit(_wake_worker, robust=True)  # else the clock does
    return True


def post_each(
    readers: Iterable[User], wording: Wording, *, topic: str = "", until: datetime | None = None
) -> list[User]:
    """Have each get the letter in their own language; return to whom it goes."""
    return [reader for reader in readers if post(reader, wording, topic=topic, until=until)]


@transaction.atomic
def withdraw(*topics: str) -> set[UUID]:
    """Forget the letters of these topics that have not left; return whose they were, by account.

    One that is just leaving is waited for.
    """
    waiting = list(Mail.objects.filter(topic__in=topics).select_for_update())
    Mail.objects.filter(pk__in=[mail.pk for mail in waiting]).delete()
    return {mail.person_id for mail in waiting if mail.person_id is not None}


def send_due(longest: timedelta = ROUND) -> int:
    """Send what is due; return how many left. Safe to run twice, and at the same time.

    A mail server that is away is asked for one letter, and for another in the next round.
    """
    ends, count = time.monotonic() + longest.total_seconds(), 0
    while (outcome := _send_next()) not in (Outcome.NOTHING, Outcome.AWAY):
        count += outcome is Outcome.SENT
        if time.monotonic() >= ends:
            _wake_worker()
            break
    return count


@transaction.atomic
def _send_next() -> Outcome:
    """The row is locked while its letter goes out: whoever comes meanwhile passes it over."""
    now = timezone.now()
    due = Mail.objects.filter(next_try_at__lte=now).select_related("person")
    free = due.order_by("next_try_at", "pk").select_for_update(skip_locked=True, of=("self",))
    mail = free.first()
    if mail is None:
        return Outcome.NOTHING
    if _is_over(mail, now):
        mail.delete()
        return Outcome.DROPPED
    try:
        _send(mail)
    except UnsealError as error:
        logger.error("e-mail %s (%s) is lost: %s", mail.pk, mail.topic, error)
        mail.delete()
        return Outcome.DROPPED
    except REFUSED as error:
        _put_off(mail, error)
        return Outcome.REFUSED
    except OSError as error:
        _put_off(mail, error)
        return Outcome.AWAY
    sent.send(Mail, topic=mail.topic, person_id=mail.person_id)
    mail.delete()
    return Outcome.SENT


def _is_over(mail: Mail, now: datetime) -> bool:
    """Say whether it is too late for a letter, or nobody is there to read it."""
    if mail.created_at <= now - GIVEN_UP:
        told = (mail.pk, mail.topic, mail.tries, mail.failure)
        logger.error("e-mail %s (%s) is given up after %s tries: %s", *told)
        return True
    if mail.until is not None and mail.until <= now:
        logger.info("e-mail %s (%s) is no news any more", mail.pk, mail.topic)
        return True
    return mail.person is not None and not mail.person.is_active


def _send(mail: Mail) -> None:
    whole = unseal(str(mail.pk), mail.sealed, _keys()).reveal()
    heading, _, text = whole.partition("\n")
    send_mail(heading, text, None, [mail.address])


def _put_off(mail: Mail, error: Exception) -> None:
    """Try again later, each time after a longer pause."""
    mail.tries += 1
    pause = min(timedelta(minutes=2 ** min(mail.tries, 10)), LONGEST_PAUSE)
    mail.next_try_at, mail.failure = timezone.now() + pause, _said(error)
    mail.save(update_fields=["tries", "next_try_at", "failure"])
    logger.warning("e-mail %s (%s) waits: %s", mail.pk, mail.topic, mail.failure)


def _said(error: Exception) -> str:
    """Return what the mail server answered, on one line, else what went wrong on the way to it."""
    said: tuple[int, bytes | str] | None = None
    if isinstance(error, SMTPRecipientsRefused) and error.recipients:
        said = next(iter(error.recipients.values()))
    elif isinstance(error, SMTPResponseException):
        said = error.smtp_code, error.smtp_error
    if said is None:
        text = str(error) or type(error).__name__
    else:
        code, answer = said
        text = f"{code} {answer.decode(errors='replace') if isinstance(answer, bytes) else answer}"
    return " ".join(text.split())[: Mail.MOST_FAILURE]


def _wake_worker() -> None:
    async_task(SEND)


def _keys() -> tuple[Fernet, ...]:
    return load_keys(settings.ENCRYPTION_KEY)
