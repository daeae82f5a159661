"""How records and sums forget whose key asked: the key's id gives way to its application's, which names nobody.

An hour at a time: its records, and its part of the sums by hour, day and month, in one transaction, so that sums are
those of their records at any moment. Hours that name a key are what is left to do: whatever ends a run, the next goes
on. What a key has used of its budgets is kept by month.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from billing.enums import PeriodState
from billing.ledger.books import hold_the_books
from billing.models import (
    AccountingPeriod,
    Budget,
    BudgetHour,
    KeyDay,
    KeyMonth,
    UsageDay,
    UsageHour,
    UsageMonth,
    UsageRecord,
    UsageSum,
)
from billing.periods import PARIS, Period, following
from billing.records.rollups import LEVELS, SUMS
from federation.members.operations.leaving import kept_since
from routing.core.enums import BudgetScope
from routing.core.ids import uuid7_floor

AN_HOUR = timedelta(hours=1)
NAMED = "key_id <> application_id"
"""What tells a record or a sum that still names a key."""
_HOURS, _RECORDS = UsageHour._meta.db_table, UsageRecord._meta.db_table
_STRETCHES = {
    level: expression.replace("finished_at", "%(hour)s::timestamptz")
    for level, expression in LEVELS.items()
}
_OF_HOUR = f"{_HOURS} WHERE since = %(hour)s AND {NAMED}"
_FORGET = f"""
UPDATE {_RECORDS} SET key_id = application_id, client_request_id = ''
WHERE finished_at >= %(hour)s AND finished_at < %(end)s AND {NAMED}
"""
_NARROWED = f"{_FORGET} AND id >= %(low)s AND id < %(high)s"


def _same(level: type[UsageSum], one: str, other: str) -> str:
    """Return the condition that two rows have one key; by equality where that can be, which alone is joined by hash."""
    return " AND ".join(
        f"{one}.{column} {'IS NOT DISTINCT FROM' if level._meta.get_field(column).null else '='} {other}.{column}"
        for column in level.KEY
    )


def _part(columns: str) -> str:
    """Return the SELECT of what the hour's keys have used, summed by columns of theirs."""
    sums = ", ".join(f"sum({column}) AS {column}" for column in SUMS)
    return f"SELECT {columns}, {sums} FROM {_OF_HOUR} GROUP BY {columns}"


def _taken_from(level: type[UsageSum]) -> str:
    table = level._meta.db_table
    less = ", ".join(f"{column} = whole.{column} - part.{column}" for column in SUMS)
    return f"""
    UPDATE {table} whole SET {less} FROM ({_part(", ".join(level.KEY))}) part
    WHERE whole.since = {_STRETCHES[level]} AND {_same(level, "whole", "part")}
    """


def _emptied(level: type[UsageSum]) -> str:
    table = level._meta.db_table
    return f"DELETE FROM {table} WHERE since = {_STRETCHES[level]} AND requests = 0 AND {NAMED}"


def _given_to(level: type[UsageSum]) -> str:
    """Add what the hour's keys have used to the sums that name none."""
    table, key = level._meta.db_table, ", ".join(("since", *level.KEY))
    nameless = ["application_id" if column == "key_id" else column for column in level.KEY]
    grown = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in SUMS)
    part = _part(", ".join(dict.fromkeys(nameless)))
    return f"""
    INSERT INTO {table} ({key}, {", ".join(SUMS)})
    SELECT {_STRETCHES[level]}, {", ".join(nameless)}, {", ".join(SUMS)} FROM ({part}) part
    ON CONFLICT ({key}) DO UPDATE SET {grown}
    """


_NAMING = (UsageDay, UsageMonth, KeyDay, KeyMonth)
"""Tables of sums that name keys, beside those by hour."""
_STEPS = (
    *(step(level) for level in _NAMING for step in (_taken_from, _emptied)),
    *(_given_to(level) for level in (UsageHour, *_NAMING)),
    f"DELETE FROM {_OF_HOUR}",
)
_TABLE = BudgetHour._meta.db_table
_FOLD = f"""
WITH old AS (
    DELETE FROM {_TABLE} hour USING {Budget._meta.db_table} budget
    WHERE budget.id = hour.budget_id AND budget.scope = '{BudgetScope.KEY.value}' AND hour.hour < %(before)s
        AND hour.hour <> date_trunc('month', hour.hour, '{PARIS.key}')
    RETURNING hour.budget_id, date_trunc('month', hour.hour, '{PARIS.key}') AS month, hour.spent
)
INSERT INTO {_TABLE} (budget_id, hour, spent)
SELECT budget_id, month, sum(spent) FROM old GROUP BY budget_id, month
ON CONFLICT (budget_id, hour) DO UPDATE SET spent = {_TABLE}.spent + excluded.spent
"""


def forgets_before(today: date, months: int) -> datetime | None:
    """Return the moment before which requests name no key; None while no month was closed so long ago.

    A month is forgotten once its closing lies so many whole months behind.
    """
    first = kept_since(today, months)
    kept = Period(first, first).bounds[0]
    closed = AccountingPeriod.objects.filter(state=PeriodState.CLOSED, closed_at__lt=kept)
    last = closed.aggregate(last=Max("month"))["last"]
    if last is None:
        return None
    after = following(last)
    return Period(after, after).bounds[0]


def hours_to_forget(before: datetime) -> list[datetime]:
    """Return the hours before a moment whose sums name a key, in order."""
    statement = f"SELECT DISTINCT since FROM {_HOURS} WHERE since < %s AND {NAMED} ORDER BY since"
    with connection.cursor() as cursor:
        cursor.execute(statement, [before])
        return [since for (since,) in cursor.fetchall()]


@transaction.atomic
def forget_hour(hour: datetime) -> int:
    """Forget whose keys asked in an hour; return of how many requests.

    Batches of requests wait meanwhile, and windows of measured energy that are shared out: they move the same sums in
    another order.
    """
    bounds: dict[str, Any] = {
        "hour": hour,
        "end": hour + AN_HOUR,
        "low": uuid7_floor(hour - AN_HOUR),
        "high": uuid7_floor(hour + 2 * AN_HOUR),
    }
    hold_the_books()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(sum(requests), 0) FROM {_OF_HOUR}", bounds)
        (expected,) = cursor.fetchone()
        cursor.execute(_NARROWED, bounds)
        forgotten: int = cursor.rowcount
        if forgotten < expected:  # an id of a wrong clock lies elsewhere
            cursor.execute(_FORGET, bounds)
            forgotten += cursor.rowcount
        for step in _STEPS:
            cursor.execute(step, bounds)
    return forgotten


@transaction.atomic
def fold_budgets(before: datetime) -> None:
    """Keep by month what keys had used of their budgets before a moment."""
    hold_the_books()
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, {"before": before})
