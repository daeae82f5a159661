"""The clerk's eye on critical models: episodes below the minimum are noted, and told once to whom they concern.

Routers say how each model stands and for how long (`routing.core.minimum`), so that nothing depends on this process
having been there. Cautious where several say different things: one that is below is enough for an alarm, all must be
well again to end it. What is noted and who is told of it are one transaction.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from federation.catalogue.models import MinimumService, MinimumServiceAlarm
from federation.catalogue.operations.minimum import end_alarm, open_alarm
from federation.fleet.alarms import tell_fall, tell_return
from federation.journal.actors import SYSTEM
from routing.dispatch.messages import LoadView, MinimumLoad

EVERY_SECONDS = 1.0


class Minimums:
    """`loads` gives what each router that is there told last."""

    def __init__(self, loads: Callable[[], Sequence[LoadView]]) -> None:
        self._loads = loads

    def work(self, stop: threading.Event) -> None:
        """Follow what routers say, until `stop` is set."""
        while not stop.is_set():
            follow(self._loads(), timezone.now())
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
            _note_end(alarm, now - timedelta(milliseconds=back))
    for model_id in known.keys() - in_force.keys():
        _note_end(known[model_id], now)


def _said_of(model_id: UUID, views: Iterable[LoadView]) -> list[MinimumLoad]:
    loads = (view.models.get(str(model_id)) for view in views)
    return [load.minimum for load in loads if load and load.minimum]


@transaction.atomic
def _note_below(
    minimum: MinimumService,
    alarm: MinimumServiceAlarm | None,
    below: Sequence[MinimumLoad],
    now: datetime,
) -> None:
    servers, sites = min(each.servers for each in below), min(each.sites for each in below)
    if alarm is None or servers < alarm.servers or sites < alarm.sites:
        since = timedelta(milliseconds=max(each.since_ms for each in below))
        began_at = now - since
        noted = open_alarm(
            by=SYSTEM, minimum=minimum, began_at=began_at, servers=servers, sites=sites
        )
        if not noted.told_fall:
            tell_fall(noted)


@transaction.atomic
def _note_end(alarm: MinimumServiceAlarm, ended_at: datetime) -> None:
    ended = end_alarm(by=SYSTEM, alarm=alarm, ended_at=ended_at)
    if not ended.told_return:
        tell_return(ended)
