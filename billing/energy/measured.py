"""What pages ask of measured energy: a server's over an hour or a day, and how much of the federation's there is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Sum

from billing.models import EnergyCalibration, EnergyWindow, UsageDay
from billing.periods import Period
from federation.fleet.models import EnergyProbe, InferenceServer
from federation.people.models import User

_MJ_OF_WH = 3_600_000


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

    def add(self, window: EnergyWindow) -> None:
        self.covered_ms += window.covered_ms
        self.total_ms += round((window.end - window.start) / timedelta(milliseconds=1))
        if window.settled_at is None:
            self.waiting_mj += window.measured_mj
            return
        self.attributed_mj += window.attributed_mj
        self.local_mj += window.local_mj
        self.idle_mj += window.idle_mj

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


def measured_energy(
    user: User, server: InferenceServer, end: datetime, length: timedelta, step: timedelta
) -> Measured:
    """Return what the meter of a server that the reader sees told in the `length` before `end`, by `step`."""
    found = Measured(end - length, end)
    count = length // step
    found.parts = {found.start + n * step: Shares() for n in range(count)}
    rows = EnergyWindow.objects.for_user(user).filter(server_id=server.pk)
    for window in rows.filter(start__gte=found.start, start__lt=end).order_by("start"):
        found.total.add(window)
        found.parts[found.start + (window.start - found.start) // step * step].add(window)
        found.faults.update(window.faults)
    return found


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
    sums = UsageDay.objects.between(period).aggregate(
        energy=Sum("energy_mj", default=0), metered=Sum("metered_mj", default=0)
    )
    start, end = period.bounds
    metered: Sequence[UUID] = list(
        EnergyProbe.objects.order_by().values_list("server_id", flat=True).distinct()
    )
    windows = EnergyWindow.objects.settled().filter(
        server_id__in=metered, start__gte=start, start__lt=end
    )
    told = windows.aggregate(idle=Sum("idle_mj", default=0), measured=Sum("measured_mj", default=0))
    return InAll(
        energy_mj=sums["energy"],
        metered_mj=sums["metered"],
        idle_mj=told["idle"],
        measured_mj=told["measured"],
        meters=EnergyProbe.objects.in_force().count(),
    )


def kwh(millijoules: int) -> float:
    return millijoules / _MJ_OF_WH / 1000
