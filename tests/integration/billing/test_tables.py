"""The tables written in plain SQL are those that Django believes in."""

import pytest
from django.db import connection
from django.db.models import Model

from billing.models import Attempt, UsageRecord

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", [UsageRecord, Attempt])
def test_the_columns_are_those_of_the_model(model: type[Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [model._meta.db_table],
        )
        columns = {name: (kind, null) for name, kind, null in cursor.fetchall()}

    assert columns == {
        field.column: (in_full(field.db_type(connection) or ""), field.null)
        for field in model._meta.concrete_fields
    }


@pytest.mark.parametrize("model", [UsageRecord, Attempt])
def test_the_constraints_and_indexes_are_those_of_the_model(model: type[Model]) -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)

    # PostgreSQL 18 counts NOT NULL among the constraints, too.
    ours = {name: facts for name, facts in found.items() if facts["check"] or facts["index"]}
    assert {name for name, facts in ours.items() if not facts["primary_key"]} == {
        *(constraint.name for constraint in model._meta.constraints),
        *(index.name for index in model._meta.indexes),
    }
    assert [facts["columns"] for facts in found.values() if facts["primary_key"]] == [
        [field.column for field in model._meta.pk_fields]
    ]


def in_full(kind: str) -> str:
    """Return a type under the name by which PostgreSQL tells it."""
    return kind.replace("varchar", "character varying")
