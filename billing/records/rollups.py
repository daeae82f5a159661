"""How stored records become sums: added in the statement that stores them, so that both are there or neither.

`billing.records.intake` runs the text for new records.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection

from billing.impact.enums import Method
from billing.models import (
    WAITS_MS,
    InstitutionDay,
    InstitutionMonth,
    KeyDay,
    KeyMonth,
    ServingDay,
    ServingMonth,
    UsageDay,
    UsageHour,
    UsageMonth,
    UsageRecord,
    UsageSum,
)
from billing.periods import PARIS, Period

_HOUR = "date_trunc('hour', finished_at, 'UTC')"
_DAY = f"(finished_at AT TIME ZONE '{PARIS.key}')::date"
_MONTH = f"date_trunc('month', finished_at AT TIME ZONE '{PARIS.key}')::date"
LEVELS: Mapping[type[UsageSum], str] = {
    UsageHour: _HOUR,
    **dict.fromkeys((UsageDay, InstitutionDay, ServingDay, KeyDay), _DAY),
    **dict.fromkeys((UsageMonth, InstitutionMonth, ServingMonth, KeyMonth), _MONTH),
}
"""Table → the stretch of time in which a record's end lies."""
ADDED = (
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost_nano",
    "fee_nano",
    "audio_ms",
    "images",
    "energy_mj",
    "energy_low_mj",
    "energy_high_mj",
    "gpu_ms",
)
METERED = ", ".join(f"'{method.value}'" for method in (Method.MEASURED, Method.CALIBRATED))
_WAIT = "extract(epoch FROM first_token_at - received_at) * 1000"


def _waits() -> dict[str, str]:
    """Return for each bound how many waited so long, but longer than the bound before."""
    low, found = -1_000_000_000, dict[str, str]()  # a clock that went back is a wait of nothing
    for high in WAITS_MS:
        found[f"wait_{high}"] = f"count(*) FILTER (WHERE {_WAIT} > {low} AND {_WAIT} <= {high})"
        low = high
    return found


SUMS: Mapping[str, str] = {
    "requests": "count(*)",
    **{column: f"sum({column})" for column in ADDED},
    "own_nano": "coalesce(sum(cost_nano) FILTER (WHERE serving_institution_id = asking_institution_id), 0)",
    "metered_mj": f"coalesce(sum(energy_mj) FILTER (WHERE energy_method IN ({METERED})), 0)",
    "unknown_energy": (
        f"count(*) FILTER (WHERE energy_method = '{Method.NONE.value}'"
        " AND http_status BETWEEN 200 AND 299)"
    ),
    "duration_ms": (
        "sum(greatest(0, extract(epoch FROM finished_at - received_at) * 1000)::bigint)"
    ),
    "first_tokens": "count(first_token_at)",
    **_waits(),
}
"""Column of the sums → what it is of records."""


def summed(level: type[UsageSum], source: str) -> str:
    """Return the SELECT that sums the records of `source` as `level` does."""
    columns = ", ".join(f"{expression} AS {column}" for column, expression in SUMS.items())
    key = ", ".join(level.KEY)
    return (
        f"SELECT {LEVELS[level]} AS since, {key}, {columns} FROM {source}"
        f" GROUP BY since, {key} ORDER BY since, {key}"
    )


def addition(level: type[UsageSum], source: str) -> str:
    """Return the INSERT that adds the records of `source` to a table of sums.

    Rows are touched in one order whoever writes: two writers wait for each other rather than deadlock.
    """
    table, key = level._meta.db_table, ", ".join(("since", *level.KEY))
    grown = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in SUMS)
    return (
        f"INSERT INTO {table} ({key}, {', '.join(SUMS)}) {summed(level, source)}"
        f" ON CONFLICT ({key}) DO UPDATE SET {grown}"
    )


MOVED: Mapping[str, str] = {
    **{
        column: f"sum(sign * {column})"
        for column in ("energy_mj", "energy_low_mj", "energy_high_mj")
    },
    "metered_mj": f"coalesce(sum(sign * energy_mj) FILTER (WHERE energy_method IN ({METERED})), 0)",
    "unknown_energy": (
        f"coalesce(sum(sign) FILTER (WHERE energy_method = '{Method.NONE.value}'"
        " AND http_status BETWEEN 200 AND 299), 0)"
    ),
}
"""Columns of the sums that a record's energy moves."""


def movement(level: type[UsageSum], source: str) -> str:
    """Return the INSERT that moves a table of sums as records' energy has changed.

    `source` has each record as it is, `sign` 1, and as it was, `sign` -1. As in `addition`, in one order.
    """
    table, key = level._meta.db_table, ", ".join(("since", *level.KEY))
    columns = ", ".join(f"{MOVED.get(column, '0')} AS {column}" for column in SUMS)
    moved = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in MOVED)
    return (
        f"INSERT INTO {table} ({key}, {', '.join(SUMS)})"
        f" SELECT {LEVELS[level]} AS since, {', '.join(level.KEY)}, {columns} FROM {source}"
        f" GROUP BY {key} ORDER BY {key} ON CONFLICT ({key}) DO UPDATE SET {moved}"
    )


def wrong_sums(level: type[UsageSum], period: Period | None = None) -> int:
    """Return how many rows of a table of sums differ from their records, or are missing, or too many.

    Of a period, whole stretches of time alone are compared: those that begin on its days, and end in it.
    """
    table, records = level._meta.db_table, UsageRecord._meta.db_table
    bounds: list[Any] = []
    if period is not None:
        part = period.in_months()[0] if LEVELS[level] == _MONTH else period
        if part is None:
            return 0
        table = f"(SELECT * FROM {table} WHERE since >= %s AND since < %s) s"
        records = f"(SELECT * FROM {records} WHERE id >= %s AND id < %s AND finished_at >= %s AND finished_at < %s) r"
        of_days = (part.start_day, part.end_day + timedelta(days=1))
        bounds = [*part.id_bounds, *part.bounds, *(part.bounds if level is UsageHour else of_days)]
    columns = ", ".join(("since", *level.KEY, *SUMS))
    statement = f"""
        WITH told AS ({summed(level, records)}), stored AS (SELECT {columns} FROM {table})
        SELECT count(*) FROM (
            (SELECT {columns} FROM told EXCEPT SELECT {columns} FROM stored)
            UNION (SELECT {columns} FROM stored EXCEPT SELECT {columns} FROM told)
        ) different
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, bounds)
        count: int = cursor.fetchone()[0]
    return count
