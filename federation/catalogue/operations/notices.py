"""Writes about announcements: to whom, once each. Who is told, and what, is decided with the announcement."""

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from federation.catalogue import mails
from federation.catalogue.audience import audience_of
from federation.catalogue.enums import AnnouncementKind
from federation.catalogue.models import AIModel, Alias, Announcement, Notice
from federation.people import post
from routing.core.enums import LifecycleStage

REMINDER = timedelta(days=7)
"""How long before a model's end its users are told once more."""
TOPIC = "announcement:"


def announce(
    *, model: AIModel, kind: AnnouncementKind, ends_on: date | None, alias: Alias | None = None
) -> Announcement:
    """Tell who is concerned, inside the transaction of what is told: it overtakes what has not left before."""
    take_back(model, alias)
    announcement = Announcement(model=model, alias=alias, kind=kind.value, ends_on=ends_on)
    announcement.full_clean()
    announcement.save()
    for reader in audience_of(model, alias.name if alias else "").readers:
        notice = Notice.objects.create(
            announcement=announcement, person=reader.person, keys=list(reader.keys)
        )
        post.post(
            reader.person,
            partial(mails.notice_letter, notice),
            topic=f"{TOPIC}{announcement.pk}",
            until=_beginning_of(ends_on) if ends_on and mails.lies_ahead(announcement) else None,
        )
    return announcement


def take_back(model: AIModel, alias: Alias | None = None) -> None:
    """Forget what was announced of a model, or of one of its aliases, and has not left."""
    earlier = model.announcements.filter(alias=alias)
    post.withdraw(*(f"{TOPIC}{pk}" for pk in earlier.values_list("pk", flat=True)))


def note_sent(topic: str, person_id: UUID | None, **_details: Any) -> None:
    """Write down that somebody's e-mail has left."""
    if topic.startswith(TOPIC):
        notices = Notice.objects.filter(
            announcement=UUID(topic.removeprefix(TOPIC)), person=person_id
        )
        notices.update(sent_at=timezone.now())


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


def _beginning_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
