"""Months as partitions, on the real PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.models import Model

from billing.models import Attempt, UsageRecord
from billing.records import intake, partitions
from routing.core.ids import uuid7_floor
from tests.integration.billing.conftest import used
from tests.support.database_url import database_url
from tests.support.records import attempt

pytestmark = pytest.mark.django_db
LAST_MOMENT = datetime(2031, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC)
FIRST_MOMENT = datetime(2031, 2, 1, tzinfo=UTC)


def store(at: datetime) -> str:
    request = used(at=at, attempts=(attempt(),))
    intake.store([request])
    return request.opened.id


def homes(model: type[Model], column: str) -> dict[str, str]:
    """Return request → partition in which it lies."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}, tableoid::regclass::text FROM {model._meta.db_table}")
        return {str(pk): home for pk, home in cursor.fetchall()}


def test_the_months_asked_for_are_made_once() -> None:
    made = partitions.ensure(date(2031, 12, 15), date(2032, 1, 2))

    assert made == [
        "billing_usagerecord_2031_12",
        "billing_usagerecord_2032_01",
        "billing_attempt_2031_12",
        "billing_attempt_2032_01",
    ]
    assert partitions.ensure(date(2031, 12, 1), date(2032, 1, 31)) == []


def test_this_month_and_the_next_two_are_made_ahead() -> None:
    made = partitions.ensure_ahead(date(2031, 11, 30))

    assert [name[-7:] for name in made if "usagerecord" in name] == [
        "2031_11",
        "2031_12",
        "2032_01",
    ]


def test_the_last_moment_of_a_month_and_the_first_of_the_next_lie_apart() -> None:
    partitions.ensure(date(2031, 1, 1), date(2031, 2, 1))

    last, first = store(LAST_MOMENT), store(FIRST_MOMENT)

    for model, column in ((UsageRecord, "id"), (Attempt, "request_id")):
        table = model._meta.db_table
        assert homes(model, column) == {last: f"{table}_2031_01", first: f"{table}_2031_02"}


def test_a_month_without_a_partition_waits_in_default_and_moves_when_it_is_made() -> None:
    early, late = store(LAST_MOMENT), store(FIRST_MOMENT)
    assert partitions.strays() == {"billing_usagerecord": 2, "billing_attempt": 2}

    partitions.ensure(date(2031, 1, 1), date(2031, 1, 1))

    assert homes(UsageRecord, "id") == {
        early: "billing_usagerecord_2031_01",
        late: "billing_usagerecord_default",
    }
    assert partitions.strays() == {"billing_usagerecord": 1, "billing_attempt": 1}


def test_a_replay_into_an_old_month_is_refused_there_too() -> None:
    partitions.ensure(date(2031, 1, 1), date(2031, 1, 1))
    request = used(at=LAST_MOMENT)
    intake.store([request])

    assert intake.store([request]) == 0


def test_a_replay_finds_what_moved_out_of_default() -> None:
    request = used(at=LAST_MOMENT, attempts=(attempt(),))
    intake.store([request])
    partitions.ensure(date(2031, 1, 1), date(2031, 1, 1))

    assert intake.store([request]) == 0
    assert UsageRecord.objects.count() == 1
    assert Attempt.objects.count() == 1


def test_a_period_reads_its_own_months_alone() -> None:
    partitions.ensure(date(2031, 1, 1), date(2031, 4, 1))

    plan = UsageRecord.objects.filter(
        pk__gte=uuid7_floor(datetime(2031, 2, 2, tzinfo=UTC)),
        pk__lt=uuid7_floor(datetime(2031, 2, 20, tzinfo=UTC)),
    ).explain()

    assert "2031_02" in plan
    assert [month for month in ("2031_01", "2031_03", "2031_04") if month in plan] == []


def test_a_month_has_the_constraints_and_indexes_of_the_whole() -> None:
    partitions.ensure(date(2031, 1, 1), date(2031, 1, 1))
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(
            cursor, "billing_usagerecord_2031_01"
        )

    checks = {name for name, facts in constraints.items() if facts["check"]}
    indexed = {tuple(facts["columns"]) for facts in constraints.values() if facts["index"]}
    assert {"tokens_are_never_negative", "a_request_lies_in_our_times"} <= checks
    assert {("key_id", "id"), ("asking_institution_id", "id")} <= indexed


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_no_month_left")
def test_a_table_that_somebody_keeps_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partitions, "_LOCK_TIMEOUT", "50ms")
    with psycopg.connect(database_url()) as reader:
        reader.execute("SELECT count(*) FROM billing_usagerecord")

        with pytest.raises(OperationalError, match="lock timeout"):
            partitions.ensure(date(2031, 1, 1), date(2031, 1, 1))

    assert len(partitions.ensure(date(2031, 1, 1), date(2031, 1, 1))) == 2


@pytest.fixture
def _no_month_left(transactional_db: None) -> Iterator[None]:
    """A committed partition would be there for the tests that follow."""
    yield
    with connection.cursor() as cursor:
        for table in partitions.KEYS:
            cursor.execute(f"DROP TABLE IF EXISTS {table}_2031_01")
