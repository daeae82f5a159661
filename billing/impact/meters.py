"""From readings of a meter to the energy of a stretch of time, in integer millijoules; faults healed, and said.

Known meters: dcgm-exporter `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION` (counter, mJ since the driver's start) and
`DCGM_FI_DEV_POWER_USAGE` (gauge, W); Scaphandre `scaph_host_power_microwatts` (gauge, µW, without GPUs); Kepler
(counters, J); Redfish and power strips (W, J or kWh). Not here: fetching and parsing them.

Each step between two readings becomes whole millijoules by itself, and a counter's total before its difference is
taken. So stretches that share their boundary reading sum to the whole, exactly.
A fault never adds energy that was not read: what is lost is told as time that is not covered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import isfinite

from billing.impact.enums import Scope


class Unit(StrEnum):
    """What a meter counts in: power is a gauge that goes up and down, energy a counter that only grows."""

    WATT = "W"
    MILLIWATT = "mW"
    MICROWATT = "uW"
    KILOWATT_HOUR = "kWh"
    JOULE = "J"
    MILLIJOULE = "mJ"
    MICROJOULE = "uJ"


_POWER_MW = {Unit.WATT: 1e3, Unit.MILLIWATT: 1.0, Unit.MICROWATT: 1e-3}
"""Milliwatts, which are millijoules a second."""
_ENERGY_MJ = {
    Unit.KILOWATT_HOUR: 3.6e9,
    Unit.JOULE: 1e3,
    Unit.MILLIJOULE: 1.0,
    Unit.MICROJOULE: 1e-3,
}


class Fault(StrEnum):
    """What was wrong with a reading or with a step between two."""

    RESET = "reset"
    """The counter began anew; what it has counted since is taken, what it had not told before is lost."""
    BACKWARDS = "backwards"
    """The counter fell to what it cannot have counted since: nothing is taken."""
    IMPLAUSIBLE = "implausible"
    """More than the machine can draw: nothing is taken."""
    OUT_OF_ORDER = "out-of-order"
    """Not later than the reading before, as after a clock was set back: the reading is left out."""
    UNREADABLE = "unreadable"
    """No number, endless, or below 0: the reading is left out."""
    GAP = "gap"
    """The gauge was not read for too long to know what it showed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How a metric is read. Raises `ValueError` when `limit_w` or `multiplier` is not above 0.

    limit_w     the most that what it sees can draw, W: beyond, a reading is a fault
    multiplier  by which the metric is corrected, such as the share of a power strip that is this server's
    """

    unit: Unit
    scope: Scope
    limit_w: float
    multiplier: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.limit_w < float("inf") and 0 < self.multiplier < float("inf")):
            raise ValueError(f"limit {self.limit_w} W, multiplier {self.multiplier}")

    @property
    def is_gauge(self) -> bool:
        return self.unit in _POWER_MW


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading: seconds on any clock that all samples share, and the metric's value."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Energy of the part of a stretch that is known: `covered_s` seconds of it."""

    mj: int
    covered_s: float
    faults: tuple[Fault, ...] = ()


LONGEST_GAP_S = 60.0
"""Between two readings of a gauge: four scrapes of the usual 15 s."""

_Step = tuple[int, Fault | None]


def read(meter: Meter, samples: Iterable[Sample], longest_gap_s: float = LONGEST_GAP_S) -> Reading:
    """Return the energy between the first and the last sample, which come in the order they were taken."""
    kept, faults = _readable(samples)
    total, covered = 0, 0.0
    for before, after in pairwise(kept):
        if meter.is_gauge:
            mj, fault = _gauge_step(meter, before, after, longest_gap_s)
        else:
            mj, fault = _counter_step(meter, before, after)
        if fault is not None:
            faults.append(fault)
        if fault in (None, Fault.RESET):
            covered += after.at - before.at
        total += mj
    return Reading(total, covered, tuple(faults))


def _readable(samples: Iterable[Sample]) -> tuple[Sequence[Sample], list[Fault]]:
    kept: list[Sample] = []
    faults: list[Fault] = []
    for sample in samples:
        if not (isfinite(sample.at) and isfinite(sample.value) and sample.value >= 0):
            faults.append(Fault.UNREADABLE)
        elif kept and sample.at <= kept[-1].at:
            faults.append(Fault.OUT_OF_ORDER)
        else:
            kept.append(sample)
    return kept, faults


def _counter_step(meter: Meter, before: Sample, after: Sample) -> _Step:
    limit = _limit_mj(meter, before, after)
    grown = _counted_mj(meter, after) - _counted_mj(meter, before)
    if grown >= 0:
        return (grown, None) if grown <= limit else (0, Fault.IMPLAUSIBLE)
    since_start = _counted_mj(meter, after)
    return (since_start, Fault.RESET) if since_start <= limit else (0, Fault.BACKWARDS)


def _gauge_step(meter: Meter, before: Sample, after: Sample, longest_gap_s: float) -> _Step:
    """Take the mean of both ends for the time between."""
    seconds = after.at - before.at
    if seconds > longest_gap_s:
        return 0, Fault.GAP
    scale = _POWER_MW[meter.unit] * meter.multiplier
    if max(before.value, after.value) * scale > meter.limit_w * 1e3:
        return 0, Fault.IMPLAUSIBLE
    return round((before.value + after.value) / 2 * scale * seconds), None


def _counted_mj(meter: Meter, sample: Sample) -> int:
    return round(sample.value * _ENERGY_MJ[meter.unit] * meter.multiplier)


def _limit_mj(meter: Meter, before: Sample, after: Sample) -> float:
    return meter.limit_w * 1e3 * (after.at - before.at)
