"""Days as people count them: in Paris. And the ids among which the requests that ended on them lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone

from routing.core.ids import uuid7_floor

PARIS = ZoneInfo("Europe/Paris")
FIRST_YEAR, LAST_YEAR = 2020, 2100
_DAY = timedelta(days=1)
_SLACK = timedelta(hours=1)
"""Many times the longest request, and any jump of a router's clock: an id is the time of arrival."""


@dataclass(frozen=True)
class Period:
    """Whole days in Paris, both ends included. Raises `ValueError` on one that ends before it begins."""

    start_day: date
    end_day: date

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= self.start_day.year <= self.end_day.year <= LAST_YEAR:
            raise ValueError(f"a period lies in the years from {FIRST_YEAR} to {LAST_YEAR}")
        if self.end_day < self.start_day:
            raise ValueError("a period ends before it begins")

    @property
    def days(self) -> list[date]:
        """Every day, in order."""
        count = (self.end_day - self.start_day).days + 1
        return [self.start_day + timedelta(days=n) for n in range(count)]

    @property
    def months(self) -> list[date]:
        """The first day of every month that it touches, in order."""
        found = [self.start_day.replace(day=1)]
        while (month := following(found[-1])) <= self.end_day:
            found.append(month)
        return found

    def in_months(self) -> "tuple[Period | None, list[Period]]":
        """Return the whole months in it, if any, and what lies before and behind them."""
        first = self.start_day if self.start_day.day == 1 else following(self.start_day)
        behind = (self.end_day + timedelta(days=1)).replace(day=1)
        if behind <= first:
            return None, [self]
        rest = [(self.start_day, first - _DAY), (behind, self.end_day)]
        return Period(first, behind - _DAY), [Period(a, b) for a, b in rest if a <= b]

    def in_parts(self) -> "Parts":
        """Return it as whole months and as few days as can be: of a month that lacks few, these are taken away."""
        whole, days, less = list[date](), list[Period](), list[Period]()
        for month in self.months:
            last = following(month) - _DAY
            begin, end = max(self.start_day, month), min(self.end_day, last)
            outside = [(month, begin - _DAY), (end + _DAY, last)]
            lacking = [Period(a, b) for a, b in outside if a <= b]
            if sum(len(part.days) for part in lacking) <= (end - begin).days:
                whole.append(month)
                less += lacking
            else:
                days.append(Period(begin, end))
        months = Period(whole[0], following(whole[-1]) - _DAY) if whole else None
        return Parts(months, days, less)

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The first moment, and the first that lies behind the period."""
        return _midnight(self.start_day), _midnight(self.end_day + timedelta(days=1))

    @property
    def id_bounds(self) -> tuple[UUID, UUID]:
        """Ids between which every request that ended in the period has its own."""
        return _ids_between(*self.bounds)


class Parts(NamedTuple):
    """Together a period: whole months and days, less the days that the months have too many."""

    months: Period | None
    days: list[Period]
    less: list[Period]


def ids_of_months(months: Iterable[date]) -> tuple[UUID, UUID]:
    """Return ids between which those of requests lie that ended in these months, or in any between them.

    Months may lie beyond a `Period`'s years: they are those of a router's clock, however wrong.
    """
    known = sorted(months)
    return _ids_between(_midnight(known[0]), _midnight(following(known[-1])))


def following(month: date) -> date:
    """Return the first day of the month behind `month`'s."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def last_days(count: int) -> Period:
    """Return the `count` days that end today."""
    today = paris_today()
    return Period(today - timedelta(days=count - 1), today)


def paris_today() -> date:
    return timezone.now().astimezone(PARIS).date()


def _ids_between(start: datetime, end: datetime) -> tuple[UUID, UUID]:
    return uuid7_floor(start - _SLACK), uuid7_floor(end + _SLACK)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, PARIS)
