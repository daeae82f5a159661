"""What pages ask of measured energy: a server's from an hour to a year, and how much of the federation's there is."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import merge
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import CharField, Count, DateTimeField, F, Func, Q, QuerySet, Sum, Value

from billing.energy.hours import AN_HOUR
from billing.models import EnergyCalibration, EnergyHour, EnergyWindow, ServingDay
from billing.periods import Period
from federation.fleet.models import EnergyProbe, InferenceServer
from federation.people.models import User

_MJ_OF_WH = 3_600_000
_MILLISECOND = timedelta(milliseconds=1)
_AT_ONCE = 2_000
_SHARED = ("attributed_mj", "local_mj", "idle_mj", "covered_ms")
_WAITS = Q(settled_at__isnull=True)


@dataclass
class Shares:
    """Millijoules. `waiting_mj` is measured, and not yet shared out; `covered_ms` of `total_ms` are known."""

    attributed_mj: int = 0
    local_mj: int = 0
    idle_mj: int = 0
    waiting_mj: int = 0
    covered_ms: int = 0
    total_ms: int = 0

    @property
    def measured_mj(self) -> int:
        return self.attributed_mj + self.local_mj + self.idle_mj + self.waiting_mj

    @property
    def coverage(self) -> float:
        """The part of the time that is known, from 0 to 1."""
        return min(self.covered_ms / self.total_ms, 1.0) if self.total_ms else 0.0

    def add(self, told: Mapping[str, int]) -> None:
        for name, amount in told.items():
            setattr(self, name, getattr(self, name) + amount)

    def watts(self, millijoules: int) -> float:
        """Return the mean power of a part over the time that is known."""
        return millijoules / self.covered_ms if self.covered_ms else 0.0


@dataclass
class Measured:
    """A server's energy from `start` to `end`, in all and by stretches of time; and faults, each with its windows."""

    start: datetime
    end: datetime
    total: Shares = field(default_factory=Shares)
    parts: dict[datetime, Shares] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, part: datetime, told: Mapping[str, int]) -> None:
        self.total.add(told)
        self.parts[part].add(told)


def measured_energy(
    user: User, server: InferenceServer, end: datetime, length: timedelta, step: timedelta
) -> Measured:
    """Return what the meter of a server that the reader sees told in the `length` before `end`, by `step`."""
    found = Measured(end - length, end)
    found.parts = {found.start + n * step: Shares() for n in range(length // step)}
    windows, hours = _of_server(user, server, found.start, end)
    time = Sum(F("end") - F("start"))
    waiting = Sum("measured_mj", filter=_WAITS, default=0)
    for part, told in _by_part(windows, "start", found.start, step, time=time, waiting_mj=waiting):
        told["total_ms"] = round(told.pop("time") / _MILLISECOND)
        found.add(part, told)
    for part, told in _by_part(hours, "hour", found.start, step, total_ms=Sum("total_ms")):
        found.add(part, told)
    for rows in (windows, hours):
        faults = rows.annotate(fault=Func("faults", function="unnest", output_field=CharField()))
        found.faults.update(dict(faults.values_list("fault").annotate(Count("pk"))))
    return found


class Stretch(NamedTuple):
    """A window as it was told, or an hour of windows that are old. Millijoules; `waiting_mj` as of `Shares`."""

    start: datetime
    end: datetime
    scope: str
    windows: int
    covered_ms: int
    measured_mj: int
    attributed_mj: int
    local_mj: int
    idle_mj: int
    waiting_mj: int
    faults: list[str]


def stretches(
    user: User, server: InferenceServer, end: datetime, length: timedelta
) -> Iterator[Stretch]:
    """Yield the same, as it is kept, in its order."""
    windows, hours = _of_server(user, server, end - length, end)
    return merge(
        map(_of_window, windows.order_by("start").iterator(_AT_ONCE)),
        map(_of_hour, hours.order_by("hour", "scope").iterator(_AT_ONCE)),
        key=lambda each: each.start,
    )


def _of_server(
    user: User, server: InferenceServer, start: datetime, end: datetime
) -> tuple[QuerySet[EnergyWindow], QuerySet[EnergyHour]]:
    """Return what began between two moments."""
    windows = EnergyWindow.objects.for_user(user).filter(server_id=server.pk)
    hours = EnergyHour.objects.for_user(user).filter(server_id=server.pk)
    return (
        windows.filter(start__gte=start, start__lt=end),
        hours.filter(hour__gte=start, hour__lt=end),
    )


def _by_part(
    rows: QuerySet[Any], at: str, start: datetime, step: timedelta, **more: Sum
) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Yield the beginning and the sums of each `step` since `start` in which there is something."""
    part = Func(Value(step), F(at), Value(start), function="date_bin", output_field=DateTimeField())
    sums = {name: Sum(name) for name in _SHARED} | more
    told = {f"sum_{name}": each for name, each in sums.items()}  # a field has the name itself
    for row in rows.order_by().annotate(part=part).values("part").annotate(**told):
        yield row["part"], {name: row[f"sum_{name}"] for name in sums}


def _of_window(row: EnergyWindow) -> Stretch:
    return Stretch(
        start=row.start,
        end=row.end,
        scope=row.scope,
        windows=1,
        covered_ms=row.covered_ms,
        measured_mj=row.measured_mj,
        attributed_mj=row.attributed_mj,
        local_mj=row.local_mj,
        idle_mj=row.idle_mj,
        waiting_mj=row.measured_mj if row.settled_at is None else 0,
        faults=row.faults,
    )


def _of_hour(row: EnergyHour) -> Stretch:
    return Stretch(
        start=row.hour,
        end=row.hour + AN_HOUR,
        scope=row.scope,
        windows=row.windows,
        covered_ms=row.covered_ms,
        measured_mj=row.measured_mj,
        attributed_mj=row.attributed_mj,
        local_mj=row.local_mj,
        idle_mj=row.idle_mj,
        waiting_mj=0,
        faults=row.faults,
    )


def calibrations_of(user: User, server: InferenceServer) -> Mapping[UUID, EnergyCalibration]:
    """Return the newest calibration of each deployment of a server."""
    rows = EnergyCalibration.objects.for_user(user).filter(server_id=server.pk).newest()
    return {row.deployment_id: row for row in rows}


@dataclass(frozen=True)
class InAll:
    """The federation's energy over a period: of the sites, and of that by a meter; and what meters saw idle."""

    energy_mj: int
    metered_mj: int
    idle_mj: int
    measured_mj: int
    meters: int

    @property
    def share(self) -> float:
        """The part of the requests' energy that is measured or calibrated, from 0 to 1."""
        return self.metered_mj / self.energy_mj if self.energy_mj else 0.0

    @property
    def idle_share(self) -> float:
        return self.idle_mj / self.measured_mj if self.measured_mj else 0.0


def measured_in_all(period: Period) -> InAll:
    """Return sums that everybody may know: no server, nobody who asks."""
    sums = ServingDay.objects.between(period).aggregate(
        energy=Sum("energy_mj", default=0), metered=Sum("metered_mj", default=0)
    )
    start, end = period.bounds
    metered = list(EnergyProbe.objects.order_by().values_list("server_id", flat=True).distinct())
    windows = EnergyWindow.objects.settled().filter(start__gte=start, start__lt=end)
    hours = EnergyHour.objects.filter(hour__gte=start, hour__lt=end)
    told = Counter[str]()
    for rows in (windows, hours):
        of_metered = rows.filter(server_id__in=metered)
        told.update(
            of_metered.aggregate(
                idle=Sum("idle_mj", default=0), measured=Sum("measured_mj", default=0)
            )
        )
    return InAll(
        energy_mj=sums["energy"],
        metered_mj=sums["metered"],
        idle_mj=told["idle"],
        measured_mj=told["measured"],
        meters=EnergyProbe.objects.in_force().count(),
    )


def kwh(millijoules: int) -> float:
    return millijoules / _MJ_OF_WH / 1000
