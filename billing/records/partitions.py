"""Months as partitions of the usage tables, bounded by the ids of requests; and the DEFAULT partition.

A month here is UTC's: bounds only decide where a row lies. Months that people see are counted in Paris, from
`finished_at`. Nothing is dropped here.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from billing.models import Attempt, UsageRecord
from billing.periods import following
from routing.core.ids import uuid7_floor

KEYS = {UsageRecord._meta.db_table: "id", Attempt._meta.db_table: "request_id"}
"""Table → the column by which it is partitioned, an id of a request."""
_LOCK = 0x62696C6C  # "bill": one caller at a time creates partitions
_LOCK_TIMEOUT = "5s"


def ensure(first_month: date, last_month: date) -> list[str]:
    """Create the partitions that are missing from `first_month` to `last_month`; return their names.

    Rows that wait in DEFAULT for such a month move into it. Raises `OperationalError` when a long reader keeps
    a table for 5 s: to wait longer would keep everybody behind it. Call again later.
    """
    made = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        for table, key in KEYS.items():
            existing = _partitions(cursor, table)
            for month in _months(first_month, last_month):
                name = f"{table}_{month:%Y_%m}"
                if name not in existing:
                    _create(cursor, table, key, name, month)
                    made.append(name)
    return made


def ensure_ahead(today: date) -> list[str]:
    """Create what is missing of this month and the two that follow."""
    return ensure(today, following(following(today)))


def strays() -> dict[str, int]:
    """Return the number of rows in each DEFAULT partition that has any: ids of a wrong clock, or a late month."""
    found = {}
    with connection.cursor() as cursor:
        for table in KEYS:
            statement = sql.SQL("SELECT count(*) FROM {}").format(_default(table))
            if count := cursor.execute(statement).fetchone()[0]:
                found[table] = count
    return found


def _create(cursor: CursorWrapper, table: str, key: str, name: str, month: date) -> None:
    """Make a month aside and attach it: PARTITION OF would lock every reader out of the whole table."""
    parts = {
        "table": sql.Identifier(table),
        "default": _default(table),
        "month": sql.Identifier(name),
        "key": sql.Identifier(key),
        "low": sql.Literal(str(_bound(month))),
        "high": sql.Literal(str(_bound(following(month)))),
    }
    for statement in (
        "LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE",
        "LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE",
        "CREATE TABLE {month} (LIKE {table} INCLUDING ALL)",
        "WITH moved AS (DELETE FROM {default} WHERE {key} >= {low} AND {key} < {high} RETURNING *)"
        " INSERT INTO {month} SELECT * FROM moved",
        "ALTER TABLE {table} ATTACH PARTITION {month} FOR VALUES FROM ({low}) TO ({high})",
    ):
        cursor.execute(sql.SQL(statement).format(**parts))


def _partitions(cursor: CursorWrapper, table: str) -> frozenset[str]:
    cursor.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = %s::regclass",
        [table],
    )
    return frozenset(name for (name,) in cursor.fetchall())


def _default(table: str) -> sql.Identifier:
    return sql.Identifier(f"{table}_default")


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = following(month)


def _bound(month: date) -> UUID:
    return uuid7_floor(datetime(month.year, month.month, 1, tzinfo=UTC))
