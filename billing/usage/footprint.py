"""What answers took of energy, machines and the planet: of a reader's period, of one request, and by the token.

Starts from sums or from records, whose energies are those of the site and whose factor set stands beside them; so old
figures come out as they were told. The machines' share goes by GPU time: what stood idle is nobody's request's.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from billing.impact.enums import Method
from billing.impact.factors import NAMED, NOTHING_EMBODIED, Impact, embodied, impact
from billing.impact.interval import Interval
from billing.models import InstitutionMonth
from billing.periods import Period
from billing.usage.asked import Asked, Part
from billing.usage.queries import named
from billing.usage.rows import Request
from federation.catalogue.models import AIModel

AT_SITE = 1_000
"""A PUE of 1: the stored energies have it in them already."""
MJ_PER_KWH = 3_600_000_000
NO_IMPACT = Impact()
LEAST_TOKENS = 100_000
"""Below which a model's energy by the token is an accident rather than a figure."""
_SUMS = {
    f"n_{column}": Sum(column, default=0)
    for column in (
        *("energy_low_mj", "energy_mj", "energy_high_mj", "metered_mj", "unknown_energy", "gpu_ms"),
        *("prompt_tokens", "completion_tokens"),
    )
}


@dataclass(frozen=True)
class Footprint:
    """`metered_mj` of the energy was measured or calibrated; `unknown` answers have no figure, which is not zero."""

    impact: Impact = NO_IMPACT
    metered_mj: int = 0
    unknown: int = 0
    gpu_ms: int = 0
    tokens: int = 0
    """Those of answers whose energy is known."""

    def __add__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            self.impact + other.impact,
            self.metered_mj + other.metered_mj,
            self.unknown + other.unknown,
            self.gpu_ms + other.gpu_ms,
            self.tokens + other.tokens,
        )

    @property
    def is_known(self) -> bool:
        return self.impact.energy_kwh.high > 0

    @property
    def metered_share(self) -> float:
        """From 0 to 1, of the energy."""
        kwh = self.impact.energy_kwh.central
        return min(self.metered_mj / MJ_PER_KWH / kwh, 1.0) if kwh else 0.0

    @property
    def gpu_hours(self) -> float:
        return self.gpu_ms / 3_600_000

    @property
    def kwh_per_thousand(self) -> Interval | None:
        """Energy of a thousand tokens, read and written together; None of too few."""
        if not self.is_known or self.tokens < LEAST_TOKENS:
            return None
        return self.impact.energy_kwh.scaled(1_000 / self.tokens)


NOTHING = Footprint()


@dataclass(frozen=True)
class ModelFootprint:
    model_id: UUID
    model: str
    footprint: Footprint


def footprints(asked: Asked) -> list[ModelFootprint]:
    """Return what each model took of what the reader asks for, the most energy first."""
    return _by_model(asked.parts)


def total(parts: Iterable[ModelFootprint]) -> Footprint:
    return sum((part.footprint for part in parts), start=NOTHING)


def of_sums(parts: Sequence[Part]) -> Footprint:
    """Return what is summed in these, whatever the model."""
    return sum((each.footprint for each in _by_model(parts)), start=NOTHING)


def of_request(request: Request) -> Footprint:
    """Return the footprint of one answer; of one whose energy is not known, nothing."""
    if request.energy_method == Method.NONE:
        return NOTHING
    bounds = Interval(request.energy_low_mj, request.energy_mj, request.energy_high_mj)
    return Footprint(impact=_impact(request.factors, bounds, request.gpu_ms), gpu_ms=request.gpu_ms)


def recent_by_model(period: Period) -> dict[UUID, Footprint]:
    """Return what the whole federation's answers took by model in the months that the period touches.

    For everybody: by the token, it tells nothing of who asked.
    """
    first, last = period.start_day.replace(day=1), period.end_day
    sums = InstitutionMonth.objects.filter(since__range=(first, last))
    return {part.model_id: part.footprint for part in _by_model([Part(sums)])}


def _by_model(parts: Sequence[Part]) -> list[ModelFootprint]:
    summed: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0] * len(_SUMS))
    for sums, sign in parts:
        by = ("model_id", "factors")
        for model, factors, *figures in sums.order_by(*by).values_list(*by).annotate(**_SUMS):
            before = summed[model, factors]
            summed[model, factors] = [n + sign * m for n, m in zip(before, figures, strict=True)]
    found: dict[UUID, Footprint] = {}
    for (model, factors), figures in summed.items():
        if any(figures):
            found[model] = found.get(model, NOTHING) + _footprint(factors, figures)
    slugs = named(AIModel, "slug", set(found))
    rows = [ModelFootprint(pk, slugs.get(pk, str(pk)), each) for pk, each in found.items()]
    return sorted(rows, key=lambda row: (-row.footprint.impact.energy_kwh.central, row.model))


def _footprint(factors: str, figures: Sequence[int]) -> Footprint:
    low, central, high, metered, unknown, gpu_ms, read, written = figures
    return Footprint(
        impact=_impact(factors, Interval(low, central, high), gpu_ms),
        metered_mj=metered,
        unknown=unknown,
        gpu_ms=gpu_ms,
        tokens=read + written if central else 0,
    )


def _impact(factors: str, energy_mj: Interval, gpu_ms: int) -> Impact:
    grid = NAMED.get(factors)
    if grid is None:
        return NO_IMPACT
    machines = embodied(grid.making, gpu_ms / 1_000) if gpu_ms else NOTHING_EMBODIED
    return impact(energy_mj, AT_SITE, grid, machines=machines)
