from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import PARIS, Period, last_days, paris_today
from routing.core.ids import uuid7_floor


def test_a_day_begins_at_midnight_in_paris() -> None:
    start, end = Period(date(2026, 1, 15), date(2026, 1, 15)).bounds

    assert start == datetime(2026, 1, 14, 23, tzinfo=UTC)
    assert end == datetime(2026, 1, 15, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)]
)
def test_a_day_on_which_the_clock_changes_is_as_long_as_it_is(day: date, hours: int) -> None:
    start, end = Period(day, day).bounds

    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)


def test_both_ends_are_days_of_the_period() -> None:
    period = Period(date(2026, 2, 27), date(2026, 3, 1))

    assert period.days == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]


DAYS = st.dates(date(2023, 1, 1), date(2027, 12, 31))


@given(start=DAYS, length=st.integers(0, 500))
def test_months_and_days_less_those_too_many_are_the_period(start: date, length: int) -> None:
    period = Period(start, start + timedelta(days=length))

    months, days, less = period.in_parts()

    whole = Counter(months.days if months else ())
    whole.update(day for part in days for day in part.days)
    whole.subtract(day for part in less for day in part.days)
    assert +whole == Counter(period.days)
    assert min(whole.values()) >= 0
    assert sum(len(part.days) for part in (*days, *less)) <= 2 * 15


def test_a_month_that_lacks_a_day_is_a_month_less_this_day() -> None:
    months, days, less = Period(date(2026, 9, 2), date(2026, 11, 10)).in_parts()

    assert months == Period(date(2026, 9, 1), date(2026, 10, 31))
    assert days == [Period(date(2026, 11, 1), date(2026, 11, 10))]
    assert less == [Period(date(2026, 9, 1), date(2026, 9, 1))]


def test_the_last_days_end_today() -> None:
    period = last_days(7)

    assert period.end_day == paris_today()
    assert len(period.days) == 7


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 1, 2), date(2026, 1, 1)),
        (date.min, date(2026, 1, 1)),
        (date(2026, 1, 1), date.max),
        (date(2027, 1, 1), date(2026, 12, 31)),
    ],
)
def test_a_period_that_cannot_be_is_refused(start: date, end: date) -> None:
    with pytest.raises(ValueError, match="period"):
        Period(start, end)


def test_the_ids_reach_beyond_the_days_by_more_than_the_longest_request() -> None:
    day = date(2026, 1, 15)
    low, high = Period(day, day).id_bounds
    midnight = datetime(2026, 1, 15, tzinfo=PARIS)

    assert low < uuid7_floor(midnight - timedelta(minutes=20)) < high
    assert low < uuid7_floor(midnight + timedelta(hours=24)) < high
    assert isinstance(low, UUID)
