"""Writes about announcements: to whom, once each, and sent once the announcement holds.

Who is told is decided with the announcement; the worker then sends, and tries again what could not be sent.
"""

import logging
from datetime import date, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from uuid import UUID

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from federation.catalogue import mails
from federation.catalogue.audience import audience_of
from federation.catalogue.enums import AnnouncementKind
from federation.catalogue.models import AIModel, Alias, Announcement, Notice
from routing.core.enums import LifecycleStage

REFUSED = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError)
"""One letter is not taken; the mail server is there, and others may be."""
GIVEN_UP = timedelta(days=3)
"""How long a letter is tried: through a weekend without a mail server, not for ever at an address that is refused."""
logger = logging.getLogger(__name__)
SEND = "federation.catalogue.tasks.send_notices"
REMINDER = timedelta(days=7)
"""How long before a model's end its users are told once more."""


def announce(
    *, model: AIModel, kind: AnnouncementKind, ends_on: date | None, alias: Alias | None = None
) -> Announcement:
    """Write down whom to tell, inside the transaction of what is told."""
    announcement = Announcement(model=model, alias=alias, kind=kind.value, ends_on=ends_on)
    announcement.full_clean()
    announcement.save()
    audience = audience_of(model, alias.name if alias else "")
    Notice.objects.bulk_create(
        Notice(announcement=announcement, person=reader.person, keys=list(reader.keys))
        for reader in audience.readers
    )
    transaction.on_commit(lambda: async_task(SEND))
    return announcement


def remind_of_ends() -> int:
    """Announce once more, a week before, what ends; return how many. Safe to run twice."""
    today = timezone.localdate()
    near = {"retires_on__gt": today, "retires_on__lte": today + REMINDER}
    due = AIModel.objects.filter(stage=LifecycleStage.DEPRECATED, **near)
    return sum(_remind(model) for model in due)


@transaction.atomic
def _remind(model: AIModel) -> bool:
    """Who has been told of this date in these days is not told again."""
    locked = AIModel.objects.select_for_update().get(pk=model.pk)
    if locked.stage != LifecycleStage.DEPRECATED or locked.retires_on != model.retires_on:
        return False
    assert locked.retires_on is not None  # the caller looked for those that have a date
    told = locked.announcements.filter(alias=None, ends_on=locked.retires_on)
    since = locked.retires_on - REMINDER
    if told.filter(kind=AnnouncementKind.REMINDER).exists():
        return False
    if told.filter(created_at__date__gte=since).exists():
        return False
    announce(model=locked, kind=AnnouncementKind.REMINDER, ends_on=locked.retires_on)
    return True


def send_notices() -> int:
    """Send what has not been sent; return how many went out. Safe to run twice, and at the same time.

    A mail server that is away keeps the worker for one letter, not for all of them.
    """
    sent = 0
    for pk in list(_to_send().values_list("pk", flat=True)):
        try:
            sent += _send(pk)
        except OSError as error:
            logger.error("notices wait for the mail server: %s", error)
            break
    return sent


def _to_send() -> QuerySet[Notice]:
    """What a newer announcement or the day itself has overtaken is not told any more."""
    newer = Announcement.objects.filter(
        model=OuterRef("announcement__model"), created_at__gt=OuterRef("announcement__created_at")
    )
    of_a_model = Exists(newer.filter(alias=None)) & Q(announcement__alias=None)
    of_an_alias = Exists(newer.filter(alias=OuterRef("announcement__alias")))
    waiting = Notice.objects.unsent().filter(
        _still_true(), person__is_active=True, created_at__gt=timezone.now() - GIVEN_UP
    )
    return waiting.exclude(of_a_model | of_an_alias).order_by("created_at", "pk")


def _still_true() -> Q:
    """What was announced lies ahead, and as it was announced; or a name was taken away."""
    ahead = Q(announcement__ends_on=None) | Q(announcement__ends_on__gt=timezone.localdate())
    of_a_model = Q(announcement__alias=None) & ~Q(announcement__model__stage=LifecycleStage.RETIRED)
    of_an_alias = Q(announcement__alias__sunset=F("announcement__ends_on"))
    removed = Q(announcement__alias__removed_at__isnull=False)
    return ahead & (of_a_model | of_an_alias) | removed


@transaction.atomic
def _send(pk: UUID) -> bool:
    """The row is locked while its e-mail goes out: whoever comes meanwhile passes it over."""
    free = _to_send().select_for_update(skip_locked=True, of=("self",))
    related = (
        "announcement__model__successor",
        "announcement__alias__successor",
        "announcement__alias__model__successor",
        "person",
    )
    notice = free.select_related(*related).filter(pk=pk).first()
    if notice is None:
        return False
    heading, text = mails.worded_notice(notice)
    try:
        send_mail(heading, text, None, [notice.person.email])
    except REFUSED as error:
        logger.error("notice %s could not be sent: %s", notice.pk, error)
        return False
    notice.sent_at = timezone.now()
    notice.save(update_fields=["sent_at"])
    return True
