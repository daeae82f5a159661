"""Windows that are old become hours: a row for each server, hour and what its meter saw, in the windows' place.

An hour at a time, in one transaction: sums over windows and hours are the same at any moment, to the last millijoule,
and whatever ends a run, the next goes on. Where a window of an hour is not settled, the hour stays as it is.

A window that comes later than that for an hour of its server that is kept as one row is refused (`refuse_the_late`):
nothing tells any more whether it is in there already, and energy is never counted twice.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Min
from django.utils import timezone

from billing.models import EnergyHour, EnergyWindow

LOCK = 0x686F7572
"""Advisory lock ("hour"): who stores windows shares it, who makes hours of them has it alone."""
AN_HOUR = timedelta(hours=1)
_SUMMED = ("measured_mj", "idle_mj", "local_mj", "attributed_mj", "covered_ms")
_WITHIN = "start >= %(hour)s AND start < %(end)s"
_ROLL_UP = f"""
WITH due AS (
    SELECT server_id FROM {EnergyWindow._meta.db_table} WHERE {_WITHIN}
    GROUP BY server_id HAVING bool_and(settled_at IS NOT NULL)
), gone AS (
    DELETE FROM {EnergyWindow._meta.db_table} WHERE {_WITHIN} AND server_id IN (SELECT server_id FROM due)
    RETURNING *
), wrong AS (
    SELECT server_id, scope, array_agg(fault ORDER BY fault) AS faults
    FROM gone CROSS JOIN unnest(gone.faults) fault GROUP BY server_id, scope
)
INSERT INTO {EnergyHour._meta.db_table} (server_id, hour, scope, windows, {", ".join(_SUMMED)}, total_ms, faults)
SELECT server_id, %(hour)s, scope, count(*), {", ".join(f"sum({column})" for column in _SUMMED)},
    sum(round(extract(epoch FROM "end" - start) * 1000)), coalesce(wrong.faults, '{{}}')
FROM gone LEFT JOIN wrong USING (server_id, scope)
GROUP BY server_id, scope, wrong.faults
"""
logger = logging.getLogger(__name__)


def roll_up(now: datetime | None = None, is_over: Callable[[], bool] = lambda: False) -> int:
    """Make hours of the windows that are old enough until `is_over`; return how many rows. Twice changes nothing.

    An hour that cannot be one row is told, and stays as it is. What passes, such as a database that is away, is raised.
    """
    before = _hour_of((now or timezone.now()) - timedelta(days=settings.ENERGY_MINUTES_DAYS))
    rows, hour = 0, _first_hour(None, before)
    while hour is not None and not is_over():
        try:
            rows += roll_up_hour(hour)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # one hour keeps no other waiting
            logger.exception("measured energy from %s on is kept by the minute", hour)
        hour = _first_hour(hour + AN_HOUR, before)
    return rows


@transaction.atomic
def roll_up_hour(hour: datetime) -> int:
    """Keep in one row what began in an hour, for each server and what its meter saw; return how many rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(_ROLL_UP, {"hour": hour, "end": hour + AN_HOUR})
        rows: int = cursor.rowcount
    return rows


def refuse_the_late(windows: Sequence[EnergyWindow]) -> list[EnergyWindow]:
    """Return the windows that may be stored; until the transaction ends, no hour is made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])
    told = [(each, (each.server_id, _hour_of(each.start))) for each in windows]
    made = set(
        EnergyHour.objects.filter(
            server_id__in={server_id for _, (server_id, _hour) in told},
            hour__in={hour for _, (_server_id, hour) in told},
        ).values_list("server_id", "hour")
    )
    kept = [each for each, of in told if of not in made]
    if late := len(told) - len(kept):
        logger.warning("%d windows of measured energy are too late to be stored", late)
    return kept


def _first_hour(since: datetime | None, before: datetime) -> datetime | None:
    """Return the first hour in which a window begins that is stored."""
    rows = EnergyWindow.objects.filter(start__lt=before)
    if since is not None:
        rows = rows.filter(start__gte=since)
    first = rows.aggregate(first=Min("start"))["first"]
    return None if first is None else _hour_of(first)


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
