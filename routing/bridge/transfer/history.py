"""The table `metrics`: the requests that the dispatcher passed on, read twice: to see whom it names, and to keep it."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from uuid import UUID

from django.utils import timezone

from billing.periods import FIRST_YEAR
from routing.bridge.transfer.dump import Row, Value, rows
from routing.bridge.transfer.meaning import NAME_LENGTH
from routing.bridge.transfer.reading import Reading
from routing.bridge.transfer.users import check_columns
from routing.core.enums import PriorityClass
from routing.core.ids import uuid7_of

TABLE = "metrics"
COLUMNS = (
    *("id", "user_name", "user_organization", "request_date", "sent_to_llm_date", "response_date"),
    *("model", "server", "server_organization", "prompt_tokens", "completion_tokens", "strategy"),
    *("requeue_count", "max_parallel_requests", "current_parallel_requests", "priority"),
    *("performance_score", "routing_mode"),
)
_REQUIRED = ("user_name", "request_date", "model")
_MOST_FAULTS = 20
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Past:
    """A request of the past; `asked` is when it came, other moments are None where they were not noted."""

    id: UUID
    user: str
    organization: str
    model: str
    asked: datetime
    sent: datetime | None
    ended: datetime | None
    server: str
    server_organization: str
    prompt_tokens: int | None
    completion_tokens: int | None
    priority: int | None
    strategy: str
    requeue_count: int | None
    max_parallel: int | None
    current_parallel: int | None
    score: float | None
    routing_mode: str


@dataclass
class Survey:
    """Whom and what a table of requests names."""

    requests: int = 0
    users: dict[str, set[str]] = field(default_factory=dict)
    """Name → organizations it is given with, an empty text where there is none."""
    models: set[str] = field(default_factory=set)
    months: set[date] = field(default_factory=set)

    def take(self, past: Past) -> None:
        self.requests += 1
        self.users.setdefault(past.user, set()).add(past.organization)
        self.models.add(past.model)
        self.months.add(past.asked.astimezone(UTC).date().replace(day=1))


def survey(path: Path, zone: tzinfo, reading: Reading) -> Survey:
    """Read the whole table; what is wrong with a row is refused with its place."""
    found = Survey()
    for number, row in enumerate(rows(path, TABLE)):
        if number == 0:
            check_columns(TABLE, row, COLUMNS, _REQUIRED, reading)
        if len(reading.faults) >= _MOST_FAULTS:
            break
        past = read_past(row, zone, reading)
        if past is not None:
            found.take(past)
    return found


def history(path: Path, zone: tzinfo) -> Iterator[Past]:
    """Yield every request of a table in which `survey` found no fault."""
    reading = Reading()
    for row in rows(path, TABLE):
        past = read_past(row, zone, reading)
        if past is not None:
            yield past
    reading.finish()


def read_past(row: Row, zone: tzinfo, reading: Reading) -> Past | None:
    """Return what a row tells; None, with the faults noted, when it cannot be kept."""
    cells = _Cells(row, zone, reading)
    before = len(reading.faults)
    asked = cells.moment("request_date")
    priority = cells.whole("priority")
    past = Past(
        id=_id(row.values, asked) if asked else UUID(int=0),
        user=cells.text("user_name", required=True)[:NAME_LENGTH],
        organization=cells.text("user_organization"),
        model=cells.text("model", required=True),
        asked=asked or timezone.now(),
        sent=cells.moment("sent_to_llm_date"),
        ended=cells.moment("response_date"),
        server=cells.text("server"),
        server_organization=cells.text("server_organization"),
        prompt_tokens=cells.whole("prompt_tokens"),
        completion_tokens=cells.whole("completion_tokens"),
        priority=None
        if priority is None
        else max(PriorityClass.P1.value, min(priority, PriorityClass.P5.value)),
        strategy=cells.text("strategy"),
        requeue_count=cells.whole("requeue_count"),
        max_parallel=cells.whole("max_parallel_requests"),
        current_parallel=cells.whole("current_parallel_requests"),
        score=cells.number("performance_score"),
        routing_mode=cells.text("routing_mode"),
    )
    if asked is None and len(reading.faults) == before:
        reading.refuse(f"{row.where}.request_date", "is empty")
    return past if len(reading.faults) == before else None


def _id(values: Mapping[str, Value], asked: datetime) -> UUID:
    """Return an id that is the same each time this row is read."""
    told = "\x1f".join(values.get(column) or "" for column in COLUMNS)
    return uuid7_of(asked, hashlib.sha256(told.encode()).digest())


class _Cells:
    """The values of a row as what they are."""

    def __init__(self, row: Row, zone: tzinfo, reading: Reading) -> None:
        self._row, self._zone, self._reading = row, zone, reading

    def text(self, column: str, *, required: bool = False) -> str:
        value = (self._row.values.get(column) or "").strip()
        if required and not value:
            self._refuse(column, "is empty")
        if len(value) > 255 or "\0" in value:
            self._refuse(column, "is no text of at most 255 characters")
        return value

    def whole(self, column: str) -> int | None:
        value = self._row.values.get(column)
        if not value:
            return None
        if value.isdecimal() and int(value) < 2**31:
            return int(value)
        self._refuse(column, "must be a whole number that is not negative")
        return None

    def number(self, column: str) -> float | None:
        value = self._row.values.get(column)
        if not value:
            return None
        try:
            found = float(value)
        except ValueError:
            self._refuse(column, "must be a number")
            return None
        return found if math.isfinite(found) else None

    def moment(self, column: str) -> datetime | None:
        """Return a moment; without an offset it was told by a clock in the zone."""
        value = self._row.values.get(column)
        if not value:
            return None
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            self._refuse(column, "must be a date and time, such as 2026-03-14 09:26:53")
            return None
        aware = found if found.tzinfo else found.replace(tzinfo=self._zone)
        if aware.year < FIRST_YEAR or aware > timezone.now() + _AHEAD:
            self._refuse(column, f"lies before {FIRST_YEAR}, or in the future")
            return None
        return aware

    def _refuse(self, column: str, what: str) -> None:
        self._reading.refuse(f"{self._row.where}.{column}", what)
