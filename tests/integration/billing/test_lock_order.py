"""Who stores, forgets, settles and rolls up at the same time never waits for each other in a circle."""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction
from msgspec.structs import replace

from billing.energy.hours import roll_up
from billing.energy.metering import store_windows
from billing.energy.settlement import settle_all
from billing.models import EnergyWindow, UsageMonth, UsageRecord
from billing.records import intake
from billing.records.retention import NAMED, forget_hour, hours_to_forget
from tests.integration.billing.test_settlement import LATER, T0, Served, assert_conserved, at_once

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = datetime.fromtimestamp(T0, UTC)
OLD = HOUR + timedelta(days=70)
PATIENCE_SECONDS = 20.0
KEYS = [str(UUID(int=100 + n)) for n in range(6)]
_WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND datname = current_database()
"""


def begin(threads: ThreadPoolExecutor, step: Callable[[], object], waiting: int) -> Future[None]:
    """Take a step in a thread of its own; return once so many connections wait for a lock."""

    def work() -> None:
        try:
            step()
        finally:
            connection.close()

    begun, ends = threads.submit(work), time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < ends and not begun.done():
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(_WAITING)
            if cursor.fetchone()[0] >= waiting:
                return begun
    raise AssertionError(f"{waiting} connections never waited")


def test_forgetting_an_hour_and_settling_another_of_its_month_do_not_lock_each_other() -> None:
    """Both move the sums of the month and of the day, each in an order of its own."""
    served = Served()
    asked = [served.request(10, 30), served.request(3700, 3720)]
    intake.store(asked)
    store_windows([served.window(61)])
    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            UsageMonth.objects.select_for_update().get()
            settling = begin(threads, partial(settle_all, LATER), waiting=1)
            forgetting = begin(threads, partial(forget_hour, HOUR), waiting=2)
        settling.result(PATIENCE_SECONDS)
        forgetting.result(PATIENCE_SECONDS)

    assert UsageRecord.objects.get(pk=asked[1].opened.id).measured_mj == 24_000_000
    assert_conserved()


def test_storing_a_window_again_does_not_lock_who_settles_it() -> None:
    """The batch has moved the sums that the settler waits for, before it meets the window."""
    served = Served()
    intake.store([served.request(10, 30)])
    store_windows([served.window(0)])
    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            intake.store([served.request(40, 50)])
            settling = begin(threads, partial(settle_all, LATER), waiting=1)
            store_windows([served.window(0)])
        settling.result(PATIENCE_SECONDS)

    assert EnergyWindow.objects.settled().count() == 1
    assert_conserved()


def settle() -> None:
    for _time in range(20):
        settle_all(LATER)


def forget() -> None:
    for _time in range(6):
        for hour in hours_to_forget(OLD):
            forget_hour(hour)


def keep_by_the_hour() -> None:
    for _time in range(20):
        roll_up(HOUR + timedelta(days=62, hours=2))


def test_all_of_them_at_once_lose_nothing() -> None:
    """Requests of several keys come in while their month is settled, forgotten and rolled up."""
    served, draw = Served(), random.Random(11)
    requests = []
    for _ in range(160):
        start = draw.uniform(0, 3 * 3600)
        request = served.request(start, start + draw.uniform(0, 200))
        opened = replace(request.opened, key_id=draw.choice(KEYS))
        requests.append(replace(request, opened=opened))
    windows = [served.window(minute) for minute in range(184)]
    intake.store(requests[:80])
    store_windows(windows[:90])

    def store() -> None:
        for n in range(80, 160, 4):
            with transaction.atomic():
                intake.store(requests[n : n + 4])
                store_windows(draw.sample(windows, 10))

    assert at_once(store, settle, forget, keep_by_the_hour, settle) == []
    store_windows(windows)
    settle_all(LATER)
    forget()
    assert not UsageRecord.objects.extra(where=[NAMED]).exists()
    assert_conserved()
