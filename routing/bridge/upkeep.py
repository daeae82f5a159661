"""What the clerk does by the clock: months of the usage tables ahead, old changes away, a look at the accounts."""

import logging
import time
from datetime import UTC, date, datetime, timedelta

from django.db import OperationalError
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone

from billing.periods import last_days, paris_today
from billing.records import partitions
from billing.records.checks import complain
from federation.people.enums import Forgotten
from federation.people.operations import note_forgotten
from routing.bridge.models import RouterProcess, RoutingChange

EVERY_SECONDS = 3600.0
CHANGES_KEPT = timedelta(days=7)
ROUTERS_KEPT = timedelta(days=1)
CHECKED_DAYS = 2
logger = logging.getLogger(__name__)


class Upkeep:
    """Done at the start and then once an hour; the look at the accounts once a day."""

    def __init__(self) -> None:
        self._due = time.monotonic()
        self._checked: date | None = None

    def step(self) -> None:
        """Do what is due. What a busy table refuses is left for the next hour."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_SECONDS
        forget_the_past()
        try:
            for name in partitions.ensure_ahead(datetime.now(UTC).date()):
                logger.info("partition %s is made", name)
        except OperationalError as refusal:
            logger.warning("partitions are made later: %s", str(refusal).strip().splitlines()[0])
        if self._checked != paris_today():
            complain(last_days(CHECKED_DAYS))
            self._checked = paris_today()


def forget_the_past() -> None:
    """Delete old changes, but never a section's last one, which is its version; and routers long gone."""
    last = RoutingChange.objects.values("section").annotate(last=Max("pk")).values("last")
    before = timezone.now() - CHANGES_KEPT
    old = RoutingChange.objects.filter(at__lt=before).exclude(pk__in=last)
    removed, _of_kinds = old.delete()
    RouterProcess.objects.filter(seen_at__lt=Now() - ROUTERS_KEPT).delete()
    note_forgotten(what=Forgotten.CHANGES, removed=removed, before=before)
