"""The clerk's eye on critical models: episodes below the minimum are noted, and told once to whom they concern.

Routers say how each model stands and for how long (`routing.core.minimum`), so that nothing depends on this process
having been there. Cautious where several say different things: one that is below is enough for an alarm, all must be
well again to end it. What was told to whom is written down person by person, right after the mail has left.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from federation.catalogue.models import MinimumService, MinimumServiceAlarm
from federation.catalogue.operations.minimum import end_alarm, open_alarm
from federation.fleet.alarms import readers_of, tell
from federation.journal.actors import SYSTEM
from federation.people.models import User
from routing.dispatch.messages import LoadView, MinimumLoad

EVERY_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""After which mails are tried again that could not be sent."""
GIVEN_UP_AFTER = timedelta(hours=1)
"""From a beginning, or an end, on: then it is no news any more, and stands on the page of the model."""
logger = logging.getLogger(__name__)


class Minimums:
    """`loads` gives what each router that is there told last."""

    def __init__(self, loads: Callable[[], Sequence[LoadView]]) -> None:
        self._loads = loads

    def work(self, stop: threading.Event) -> None:
        """Follow what routers say, until `stop` is set."""
        mail_at = 0.0
        while not stop.is_set():
            follow(self._loads(), timezone.now())
            if time.monotonic() >= mail_at and not tell_what_is_due(timezone.now()):
                mail_at = time.monotonic() + RETRY_SECONDS
            stop.wait(EVERY_SECONDS)


def follow(views: Sequence[LoadView], now: datetime) -> None:
    """Note the episodes that have begun or ended by what routers say; without any nothing is known."""
    if not views:
        return
    patience = settings.MINIMUM_ALARM_SECONDS * 1000
    known = {alarm.model_id: alarm for alarm in MinimumServiceAlarm.objects.open()}
    in_force = {row.model_id: row for row in MinimumService.objects.in_force()}
    for model_id, minimum in in_force.items():
        said = _said_of(model_id, views)
        below = [each for each in said if not each.is_met]
        alarm = known.get(model_id)
        if any(each.since_ms >= patience for each in below):
            _note_below(minimum, alarm, below, now)
        elif alarm and said and all(each.is_met and each.since_ms >= patience for each in said):
            back = min(each.since_ms for each in said)
            end_alarm(by=SYSTEM, alarm=alarm, ended_at=now - timedelta(milliseconds=back))
    for model_id in known.keys() - in_force.keys():
        end_alarm(by=SYSTEM, alarm=known[model_id], ended_at=now)


def _said_of(model_id: UUID, views: Iterable[LoadView]) -> list[MinimumLoad]:
    loads = (view.models.get(str(model_id)) for view in views)
    return [load.minimum for load in loads if load and load.minimum]


def _note_below(
    minimum: MinimumService,
    alarm: MinimumServiceAlarm | None,
    below: Sequence[MinimumLoad],
    now: datetime,
) -> None:
    servers, sites = min(each.servers for each in below), min(each.sites for each in below)
    if alarm is None or servers < alarm.servers or sites < alarm.sites:
        since = timedelta(milliseconds=max(each.since_ms for each in below))
        open_alarm(by=SYSTEM, minimum=minimum, began_at=now - since, servers=servers, sites=sites)


def tell_what_is_due(now: datetime) -> bool:
    """Send the mails that are owed, each person's once. False when one could not be sent."""
    due = MinimumServiceAlarm.objects.filter(
        Q(fall_told_at__isnull=True) | Q(ended_at__isnull=False, return_told_at__isnull=True)
    )
    sent = [True]
    for alarm in due.select_related("model", "minimum__fallback").order_by("began_at"):
        if alarm.fall_told_at is None:
            sent.append(_tell_fall(alarm, now))
        if alarm.ended_at is not None and alarm.fall_told_at is not None:
            sent.append(_tell_return(alarm, now))
    return all(sent)


def _tell_fall(alarm: MinimumServiceAlarm, now: datetime) -> bool:
    readers = readers_of(alarm.model)
    if _tell_each(alarm, readers, "told_fall") or now - alarm.created_at > GIVEN_UP_AFTER:
        alarm.fall_told_at = now
        alarm.save(update_fields=["fall_told_at"])
    return alarm.fall_told_at is not None


def _tell_return(alarm: MinimumServiceAlarm, now: datetime) -> bool:
    """Tell those who were told of the beginning."""
    assert alarm.ended_at is not None
    readers = list(User.objects.filter(pk__in=alarm.told_fall, is_active=True))
    if _tell_each(alarm, readers, "told_return") or now - alarm.ended_at > GIVEN_UP_AFTER:
        alarm.return_told_at = now
        alarm.save(update_fields=["return_told_at"])
    return alarm.return_told_at is not None


def _tell_each(alarm: MinimumServiceAlarm, readers: Iterable[User], told: str) -> bool:
    """Tell everybody who was not told yet, and write that down at once. False when somebody could not be."""
    known: list[UUID] = getattr(alarm, told)
    all_told = True
    for reader in readers:
        if reader.pk in known:
            continue
        try:
            tell(reader, alarm, is_over=told == "told_return")
        except OSError as error:
            logger.error("a mail about %s could not be sent: %s", alarm.model.slug, error)
            all_told = False
            continue
        known.append(reader.pk)
        alarm.save(update_fields=[told])
    return all_told
