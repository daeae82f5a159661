"""The hours of a week in Paris at which guests have a ceiling: lines that people write, numbers that routers read."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.fleet.enums import Days, days_of

HOURS_OF_A_DAY = 24
MOST_LINES = 20
MOST_GUESTS = 10_000


@dataclass(frozen=True)
class GuestHours:
    """On these days, from `start` o'clock to `end` o'clock, at most so many requests of guests at once.

    Raises `ValidationError`. To close a night, say 20 to 24 and 0 to 8.
    """

    days: Days
    start: int
    end: int
    most: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= HOURS_OF_A_DAY:
            raise ValidationError(
                _("Hours go from 0 to 24, and the first is before the last."), code="hours"
            )
        if not 0 <= self.most <= MOST_GUESTS:
            raise ValidationError(
                _("Between 0 and %(most)s requests at once."),
                params={"most": MOST_GUESTS},
                code="most",
            )

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"days": self.days.value}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> "GuestHours":
        return cls(Days(line["days"]), line["start"], line["end"], line["most"])


def ceilings(lines: Iterable[GuestHours]) -> tuple[int | None, ...]:
    """Return the ceiling of each hour from Monday 0:00, empty when no hour has one. The lowest holds."""
    week: list[int | None] = [None] * (7 * HOURS_OF_A_DAY)
    for line in lines:
        for day in days_of(line.days):
            for hour in range(line.start, line.end):
                place = day * HOURS_OF_A_DAY + hour
                before = week[place]
                week[place] = line.most if before is None else min(before, line.most)
    return tuple(week) if any(most is not None for most in week) else ()
