"""Registers that many tests begin with: made once per worker through the operations, then put back as rows.

    @pytest.fixture
    def cast(db: None, kept_cast: Kept[Cast]) -> Cast:
        return kept_cast.put_back()

Made before the first test that asks for it has changed a setting, in a transaction that leaves nothing behind.
"""

import pickle
from collections.abc import Callable
from typing import Generic, TypeVar

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from tests.integration.federation.world import World, make_world
from tests.support.factories import Cast, make_cast

Made = TypeVar("Made")
COLUMNS = """
SELECT relname, string_agg(quote_ident(attname), ', ')
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
GROUP BY relname
"""


class Kept(Generic[Made]):
    """What `build` makes in the register as migrations leave it, ready to be put back."""

    def __init__(self, build: Callable[[], Made]) -> None:
        self.build = build
        with transaction.atomic():
            before = _rows()
            made = build()
            after = _rows()
            transaction.set_rollback(True)
        if changed := [table for table in before if before[table] - after[table]]:
            raise ValueError(f"{build.__name__} changes what migrations wrote: {changed}")
        self._made = pickle.dumps(made)
        columns = _columns()
        new = {table: sorted(rows - before[table]) for table, rows in after.items()}
        self._rows = [f"[{','.join(rows)}]" for rows in new.values() if rows]
        self._statement = ";".join(
            _insertion(table, columns[table]) for table, rows in new.items() if rows
        )

    def put_back(self) -> Made:
        """Write the rows and return what was made, as if it had just been."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(self._statement, self._rows)
        made: Made = pickle.loads(self._made)
        return made


def _columns() -> dict[str, str]:
    """Return the tables, each with its columns that can be written."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        return dict(cursor.fetchall())


def _rows() -> dict[str, set[str]]:
    """Return what stands in each table, a row as JSON."""
    found = {}
    with connection.cursor() as cursor:
        for table in _columns():
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {connection.ops.quote_name(table)} t")
            found[table] = {row for (row,) in cursor.fetchall()}
    return found


def _insertion(table: str, columns: str) -> str:
    """Foreign keys are looked at when the transaction ends: the tables need no order."""
    name = connection.ops.quote_name(table)
    rows = f"jsonb_populate_recordset(NULL::{name}, %s::jsonb)"
    return f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {rows}"


@pytest.fixture(scope="session")
def kept_cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Kept[Cast]:
    with django_db_blocker.unblock():
        return Kept(make_cast)


@pytest.fixture(scope="session")
def kept_world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Kept[World]:
    with django_db_blocker.unblock():
        return Kept(make_world)
