"""When universities ask: a weight for every hour, by clock and calendar in Paris. Pure, no random number."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")

# Relative requests in each hour of a working day, from midnight on.
PEOPLE_BY_HOUR = (
    2,
    1,
    1,
    1,
    1,
    2,
    4,
    12,
    34,
    62,
    78,
    72,
    44,
    56,
    78,
    80,
    72,
    58,
    36,
    24,
    20,
    16,
    10,
    5,
)
BATCHES_BY_HOUR = (
    40,
    40,
    40,
    38,
    30,
    20,
    8,
    4,
    3,
    3,
    3,
    3,
    4,
    3,
    3,
    3,
    4,
    6,
    10,
    16,
    24,
    32,
    38,
    40,
)
BY_WEEKDAY = (1.0, 1.05, 1.03, 1.0, 0.82, 0.20, 0.17)
BATCHES_ON_A_QUIET_DAY = 0.7
ON_A_PUBLIC_HOLIDAY = 0.15
IN_A_LONG_BREAK = 0.35
GROWTH = 0.45
"""How much more is asked at the end of the period than at its beginning."""

# Month and day. Feasts that move with Easter are left out: they add little to what a demonstration shows.
PUBLIC_HOLIDAYS = frozenset({(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)})
LONG_BREAKS = (((7, 14), (8, 25)), ((12, 20), (12, 31)), ((1, 1), (1, 4)))


def weight(hour: datetime, begin: datetime, end: datetime, *, is_batch: bool) -> float:
    """Return how much is asked in `hour` (aware), relative to other hours of the period."""
    local = hour.astimezone(PARIS)
    growth = 1 + GROWTH * ((hour - begin) / (end - begin))
    if is_batch:
        calm = BATCHES_ON_A_QUIET_DAY if day_weight(local.date()) < 1 / 2 else 1.0
        return BATCHES_BY_HOUR[local.hour] * calm * growth
    return PEOPLE_BY_HOUR[local.hour] * day_weight(local.date()) * growth


def day_weight(day: date) -> float:
    """Return how much people ask on `day`, relative to a working day in term."""
    if (day.month, day.day) in PUBLIC_HOLIDAYS:
        return ON_A_PUBLIC_HOLIDAY
    calm = any(first <= (day.month, day.day) <= last for first, last in LONG_BREAKS)
    return BY_WEEKDAY[day.weekday()] * (IN_A_LONG_BREAK if calm else 1.0)


def busyness(hour: datetime) -> float:
    """Return how busy people keep the servers in `hour`, from 0 to about 1."""
    local = hour.astimezone(PARIS)
    return PEOPLE_BY_HOUR[local.hour] / max(PEOPLE_BY_HOUR) * day_weight(local.date())
