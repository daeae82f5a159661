"""Windows that are old become hours, and not a millijoule is lost or told twice: whatever comes when, or is killed."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from math import floor
from typing import Any
from uuid import UUID

import pytest
from django.db import Error, IntegrityError, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.energy.calibration import LOOK_BACK, calibrate_all
from billing.energy.hours import roll_up, roll_up_hour
from billing.energy.measured import measured_energy, measured_in_all, stretches
from billing.energy.metering import store_windows
from billing.energy.settlement import settle_all
from billing.models import EnergyCalibration, EnergyHour, EnergyWindow
from billing.periods import Period
from billing.records import intake
from billing.records.checks import findings
from config import env
from federation.fleet.operations.probes import set_probe
from federation.people.enums import Role
from routing.core.accounting import Closed, Metered
from tests.integration.billing.test_calibration import minutes
from tests.integration.billing.test_settlement import (
    LATER,
    T0,
    Served,
    a_history,
    at_once,
)
from tests.integration.federation.world import METER
from tests.support.factories import OPERATOR, make_user
from tests.support.meters import MINUTE, a_window

HOUR = datetime.fromtimestamp(T0, UTC)
OLD = HOUR + timedelta(days=70)
"""When everything at T0 is older than what is kept by the minute."""
ADDED = ("measured_mj", "idle_mj", "local_mj", "attributed_mj", "covered_ms")
Of = tuple[UUID, datetime, str]


@pytest.fixture
def served(db: object) -> Served:
    return Served()


def told() -> dict[Of, Counter[str]]:
    """What windows and hours tell together, by server, hour and what the meter saw."""
    found: dict[Of, Counter[str]] = {}

    def add(of: Of, row: EnergyWindow | EnergyHour, windows: int, total: float) -> None:
        sums = found.setdefault(of, Counter())
        sums.update({name: getattr(row, name) for name in ADDED} | dict(Counter(row.faults)))
        sums.update({"windows": windows, "total_ms": floor(total + 0.5)})  # as PostgreSQL rounds

    for window in EnergyWindow.objects.all():
        hour = window.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        length = (window.end - window.start) / timedelta(milliseconds=1)
        add((window.server_id, hour, window.scope), window, 1, length)
    for row in EnergyHour.objects.all():
        add((row.server_id, row.hour, row.scope), row, row.windows, row.total_ms)
    return found


def assert_shared_out() -> None:
    """Assert what `check_usage` looks for."""
    assert [each for each in findings() if "mJ" in each or "measured energy" in each] == []


def test_what_is_old_is_kept_by_the_hour_and_says_the_same(served: Served) -> None:
    intake.store([served.request(10, 200), served.request(3500, 3700)])
    store_windows([served.window(n, faults=("gap",) * (n % 2)) for n in range(61)])
    settle_all(LATER)
    before = told()

    assert roll_up(HOUR + timedelta(days=62)) == 0
    assert roll_up(HOUR + timedelta(days=62, hours=1)) == 1  # the other hour is not as old
    assert roll_up(OLD) == 1
    assert roll_up(OLD) == 0

    assert told() == before
    assert not EnergyWindow.objects.exists()
    assert [row.windows for row in EnergyHour.objects.order_by("hour")] == [60, 1]
    assert EnergyHour.objects.order_by("hour")[0].faults == ["gap"] * 30
    assert_shared_out()


def test_a_server_whose_windows_are_not_all_settled_keeps_its_hour_by_the_minute(
    served: Served,
) -> None:
    store_windows([served.window(0), a_window(UUID(int=5), T0)])
    settle_all(LATER)
    store_windows([served.window(1)])

    assert roll_up(OLD) == 1
    assert EnergyWindow.objects.count() == 2
    settle_all(OLD)
    assert roll_up(OLD) == 1
    assert not EnergyWindow.objects.exists()


def test_what_another_meter_saw_in_the_hour_is_a_row_of_its_own(served: Served) -> None:
    store_windows([served.window(0), served.window(1, scope="server")])
    settle_all(LATER)

    assert roll_up(OLD) == 2
    assert set(EnergyHour.objects.values_list("scope", flat=True)) == {"gpu", "server"}


def test_what_comes_later_than_its_hour_is_refused_and_what_is_only_old_is_not(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """A spool that is read again tells what is in there already: nothing is counted twice."""
    store_windows([served.window(0), served.window(1)])
    settle_all(LATER)
    roll_up(OLD)
    before = told()

    store_windows([served.window(0), served.window(2)])
    assert told() == before
    assert "2 windows of measured energy are too late" in caplog.text

    store_windows([served.window(60), a_window(UUID(int=5), T0)])
    settle_all(OLD)
    assert roll_up(OLD) == 2
    assert_shared_out()


def test_an_hour_that_cannot_be_one_row_keeps_no_other_by_the_minute(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    store_windows([served.window(n, mj=2**62) for n in range(2)])
    store_windows([served.window(60)])
    settle_all(LATER)

    assert roll_up(OLD) == 1
    assert EnergyWindow.objects.count() == 2
    assert str(HOUR) in caplog.text


def test_a_run_that_is_over_leaves_the_rest_for_the_next(served: Served) -> None:
    store_windows([served.window(60 * n) for n in range(3)])
    settle_all(LATER)
    over = iter([False, True])

    assert roll_up(OLD, lambda: next(over)) == 1
    assert roll_up(OLD) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EnergyHour.objects.update(idle_mj=F("idle_mj") + 1),
        lambda: EnergyHour.objects.update(attributed_mj=-1, idle_mj=30_000_001),
        lambda: EnergyHour.objects.update(windows=0),
        lambda: EnergyHour.objects.bulk_create(
            [EnergyHour(**EnergyHour.objects.values().get() | {"id": None})]
        ),
    ],
)
def test_an_hour_is_shared_out_whole_and_kept_once(
    served: Served, wrong: Callable[[], object]
) -> None:
    store_windows([served.window(0)])
    settle_all(LATER)
    roll_up(OLD)

    with pytest.raises(IntegrityError), transaction.atomic():
        wrong()


def test_what_does_not_add_up_is_found_in_hours_as_well(served: Served) -> None:
    intake.store([served.request(10, 30)])
    store_windows([served.window(0)])
    settle_all(LATER)
    roll_up(OLD)
    assert_shared_out()
    EnergyHour.objects.update(idle_mj=F("idle_mj") + 1, attributed_mj=F("attributed_mj") - 1)

    assert any("24000000 mJ of the 23999999 mJ" in each for each in findings())


def test_calibrations_and_open_months_have_their_minutes(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes(served, 60)
    at = HOUR + LOOK_BACK - timedelta(minutes=1)
    roll_up(at)
    assert calibrate_all(at) == 1
    assert EnergyCalibration.objects.get().windows == 60

    monkeypatch.setenv("ENERGY_MINUTES_DAYS", "30")
    with pytest.raises(env.ConfigurationError):
        env.integer("ENERGY_MINUTES_DAYS", default=62, least=31)


def test_pages_tell_the_same_of_hours_as_of_minutes(served: Served) -> None:
    server = served.deployment.server
    set_probe(by=OPERATOR, server=server, described=METER)
    person = make_user("auditor", Role.AUDITOR)
    period = Period(date(2026, 3, 10), date(2026, 3, 10))
    intake.store([served.request(10, 200), served.request(3500, 3700)])
    store_windows([served.window(n, faults=("gap", "reset")[: n % 3]) for n in range(120)])
    settle_all(LATER)

    def shown() -> list[Any]:
        end, day = HOUR + timedelta(days=1), timedelta(days=1)
        by_day = measured_energy(person, server, end, timedelta(days=365), day)
        rows = list(stretches(person, server, end, day))
        sums = [sum(getattr(row, name) for row in rows) for name in ("windows", *ADDED)]
        assert [row.start for row in rows] == sorted(row.start for row in rows)
        return [by_day, measured_in_all(period), sums]

    before = shown()
    roll_up_hour(HOUR)

    assert shown() == before
    assert EnergyHour.objects.count() == 1
    assert EnergyWindow.objects.count() == 60


_KILL = f"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%DELETE FROM {EnergyWindow._meta.db_table}%'
    AND pid <> pg_backend_pid()
"""


class Killed(Exception):
    """The end of a run in the middle of an hour."""


def take_some(draw: random.Random, waiting: list[Any], windows: list[Metered]) -> None:
    """Store some of what waits, and a window that may be known already; settle, or not."""
    batch = [waiting.pop() for _ in range(min(len(waiting), draw.randrange(1, 12)))]
    intake.store([each for each in batch if isinstance(each, Closed)])
    fresh = [each for each in batch if isinstance(each, Metered)]
    store_windows([*fresh, *draw.sample(windows, draw.randrange(2))])
    if draw.random() < 0.5:
        settle_all(LATER)


@pytest.mark.django_db
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
@example(seed=423)  # a window of an odd number of half milliseconds
def test_over_any_history_hours_are_the_sums_of_their_windows(seed: int) -> None:
    """Requests and windows come in any order, again and late; runs end anywhere."""
    draw = random.Random(seed)
    with transaction.atomic():
        served = Served()
        requests, windows = a_history(draw, served)
        elsewhere = a_history(draw, served)[1]
        windows += [replace(each, server_id=str(UUID(int=5))) for each in elsewhere]
        waiting: list[Any] = [*requests, *windows]
        draw.shuffle(waiting)
        while waiting:
            take_some(draw, waiting, windows)
            before = told()
            with suppress(Killed), transaction.atomic():
                roll_up(draw.choice([HOUR + timedelta(days=62), OLD]))
                assert told() == before
                if draw.random() < 0.3:
                    raise Killed
            assert told() == before
            assert_shared_out()
        settle_all(OLD)
        roll_up(OLD)

        assert not EnergyWindow.objects.exists()
        assert_shared_out()
        most = sum(each.mj for each in windows)
        assert sum(each["measured_mj"] for each in told().values()) <= most
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_runs_that_are_killed_while_others_store_and_settle_lose_nothing() -> None:
    """Three hours of two servers are rolled up by two runs at a time, whose connections are ended again and again."""
    served, other = Served(), str(UUID(int=5))
    intake.store([served.request(600 * n, 600 * n + 300) for n in range(18)])
    windows = [
        a_window(server, T0 + n * MINUTE)
        for server in (served.server_id, other)
        for n in range(180)
    ]
    store_windows(windows)
    settle_all(LATER)
    before = told()

    def run() -> None:
        while True:
            with suppress(Error):
                if not EnergyWindow.objects.exists():
                    return
                roll_up(OLD)
                continue
            connection.close()

    def store_again() -> None:
        for first in range(0, len(windows), 15):
            store_windows(windows[first : first + 15])

    def kill() -> None:
        with connection.cursor() as cursor:
            for _time in range(30):
                cursor.execute(_KILL)
                cursor.execute("SELECT pg_sleep(0.01)")

    assert at_once(run, run, store_again, kill) == []
    assert told() == before
    assert EnergyHour.objects.count() == 6
    assert_shared_out()
