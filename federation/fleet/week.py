"""The hours of the week at which a server is there: lines that its owner writes, asked at a moment."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.fleet.calendar import HOURS_OF_A_DAY
from federation.fleet.enums import Days, days_of

PARIS = ZoneInfo("Europe/Paris")
MOST_LINES = 14


@dataclass(frozen=True)
class OpenHours:
    """On these days, from `start` o'clock to `end` o'clock, in Paris. Raises `ValidationError`."""

    days: Days
    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= HOURS_OF_A_DAY:
            raise ValidationError(
                _("Hours go from 0 to 24, and the first is before the last."), code="hours"
            )

    def holds(self, weekday: int, hour: int) -> bool:
        return weekday in days_of(self.days) and self.start <= hour < self.end

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"days": self.days.value}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> "OpenHours":
        return cls(Days(line["days"]), line["start"], line["end"])


def is_open(lines: Iterable[OpenHours], moment: datetime) -> bool:
    """Say whether one of the lines holds at an aware moment."""
    local = moment.astimezone(PARIS)
    return any(line.holds(local.weekday(), local.hour) for line in lines)
