"""Sums of hours, days and months are those of their records, whatever is stored, how often and by how many."""

import random
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import UsageDay, UsageHour, UsageMonth, UsageRecord
from billing.periods import Period
from billing.records import intake
from billing.records.checks import findings
from billing.records.rollups import LEVELS, wrong_sums
from routing.core.accounting import Closed, Energy
from routing.core.enums import RequestStatus
from tests.integration.billing.conftest import id_at
from tests.support.records import closed, opened

NEW_YEAR = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
KEYS = [str(UUID(int=n)) for n in range(1, 4)]


def some_energy(draw: random.Random) -> Energy:
    central = draw.randrange(10_000)
    return Energy(
        method=draw.choice(["measured", "model", "gpu-time"]),
        mj=central,
        low_mj=central // 2,
        high_mj=central * 3,
        gpu_ms=draw.randrange(5_000),
        factors=draw.choice(["FRA-1", "BEL-1"]),
    )


def request(n: int, **facts: object) -> Closed:
    """The nth of many, around midnight of New Year's Eve in Paris, whose clocks may go back."""
    draw = random.Random(n)
    at = NEW_YEAR + timedelta(minutes=draw.randrange(-2000, 2000))
    asked = opened(
        id=str(id_at(at)),
        key_id=draw.choice(KEYS),
        received_at=at.timestamp(),
    )
    told = {
        "status": draw.choice(list(RequestStatus)),
        "prompt_tokens": draw.randrange(1000),
        "first_token_at": draw.choice([None, at.timestamp() + draw.random() * 40]),
        "finished_at": at.timestamp() + draw.randrange(-5, 500),
        "energy": draw.choice([None, Energy(method="none", factors="FRA-1"), some_energy(draw)]),
    }
    return closed(asked, **(told | facts))


def assert_summed() -> None:
    assert {level: wrong_sums(level) for level in LEVELS} == dict.fromkeys(LEVELS, 0)
    stored = UsageRecord.objects.count()
    for level in LEVELS:
        assert sum(level.objects.values_list("requests", flat=True)) == stored


@pytest.mark.django_db
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=6))
def test_any_batches_in_any_order_with_repetitions_are_summed(batches: list[list[int]]) -> None:
    known = {n: request(n) for batch in batches for n in batch}
    with transaction.atomic():
        for batch in batches:
            intake.store([known[n] for n in batch])
        assert UsageRecord.objects.count() == len(known)
        assert_summed()
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_request_lies_in_the_day_and_month_of_paris_in_which_it_ended() -> None:
    asked = opened(id=str(id_at(NEW_YEAR)), received_at=NEW_YEAR.timestamp())
    intake.store([closed(asked, finished_at=NEW_YEAR.timestamp() + 1)])

    assert UsageDay.objects.get().since == date(2027, 1, 1)
    assert UsageMonth.objects.get().since == date(2027, 1, 1)
    assert UsageHour.objects.get().since == datetime(2026, 12, 31, 23, tzinfo=UTC)


@pytest.mark.django_db
def test_a_batch_that_is_undone_leaves_no_sum() -> None:
    with transaction.atomic():
        intake.store([request(1)])
        transaction.set_rollback(True)

    assert not UsageHour.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("level", LEVELS)
def test_a_sum_that_is_wrong_missing_or_too_many_is_found(level: type[UsageDay]) -> None:
    intake.store([request(n) for n in range(20)])
    one, other, *_ = level.objects.all()
    level.objects.filter(pk=one.pk).update(prompt_tokens=one.prompt_tokens + 1)

    assert wrong_sums(level) == 2  # what is told, and what is stored
    level.objects.filter(pk=one.pk).delete()
    assert wrong_sums(level) == 1
    other.pk = None
    setattr(other, level.KEY[0], UUID(int=99))
    other.save()
    assert wrong_sums(level) == 2
    assert f"2 rows of {level._meta.db_table} are not the sum" in "\n".join(findings())


@pytest.mark.django_db
def test_of_a_period_its_own_days_are_compared() -> None:
    intake.store([request(n) for n in range(40)])
    eve = Period(date(2026, 12, 30), date(2026, 12, 31))
    assert {wrong_sums(level, eve) for level in LEVELS} == {0}

    UsageDay.objects.filter(since=date(2027, 1, 1)).delete()
    assert wrong_sums(UsageDay, eve) == 0
    UsageDay.objects.filter(since=date(2026, 12, 31)).delete()
    assert wrong_sums(UsageDay, eve) > 0


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_are_summed() -> None:
    """Four, of which two store the same requests, each in many small batches."""
    mine = [[request(n) for n in range(start, start + 60)] for start in (0, 60, 120)]
    troubles: list[Exception] = []

    def write(requests: list[Closed]) -> None:
        try:
            for first in range(0, len(requests), 5):
                intake.store(requests[first : first + 5])
        except Exception as error:  # noqa: BLE001  # told by the test
            troubles.append(error)
        finally:
            connection.close()

    writers = [Thread(target=write, args=(part,)) for part in (*mine, mine[0])]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert troubles == []
    assert UsageRecord.objects.count() == 180
    assert_summed()
