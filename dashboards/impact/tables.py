"""What the method rests on, as files: factors, accelerators, measurements. Pages read the same objects."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from billing.impact.ecologits import ecologits_impact
from billing.impact.energy import Conditions, Tokens
from billing.impact.factors import EVERY, FRANCE, SHIPPED, FactorSet
from billing.impact.hardware import ACCELERATORS, Accelerator
from billing.impact.interval import Interval
from billing.impact.single import Told, mix_of, tell
from billing.impact.validation import (
    ANSWERED,
    COMPLETION,
    ECOLOGITS_PUE,
    LEADERBOARD,
    MEASURED,
    MISTRAL_CO2E_G,
    MISTRAL_LARGE,
    MISTRAL_TOKENS,
    Answered,
)
from dashboards.impact.labels import GRIDS, Words
from dashboards.impact.quantities import WH, Quantity, quantity

Row = Mapping[str, object]

MISTRAL_BATCH = 32
"""Requests at a time, under which ours is told beside Mistral's assessment."""


@dataclass(frozen=True, slots=True)
class File:
    """Rows under the names of `columns`."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]


def _factors() -> Iterator[Row]:
    for grid in EVERY:
        making = grid.making
        yield {
            "name": grid.name,
            **{name: getattr(grid, name) for name in _OF_A_SET},
            "gpu_co2e_kg": making.gpu.co2e_kg,
            "server_co2e_kg": making.server.co2e_kg,
            "gpus_of_a_server": making.gpus_of_a_server,
            **{f"{name}_years": getattr(making.lifetime, name) for name in _YEARS},
        }


def _accelerators() -> Iterator[Row]:
    for accelerator in ACCELERATORS.values():
        yield {name: getattr(accelerator, name) for name in _OF_AN_ACCELERATOR}


def _measurements() -> Iterator[Row]:
    for point in MEASURED:
        yield {
            "name": point.name,
            "model": point.model,
            "weights": point.weights,
            "accelerator": point.instance.accelerator.code,
            "gpus": point.instance.n_gpu,
            "requests_at_a_time": point.batch,
            "measured_j_per_token": point.joules_per_token,
            "modelled_j_per_token": point.modelled,
            "ratio": point.ratio,
            "source": LEADERBOARD,
        }


_OF_A_SET = tuple(field.name for field in fields(FactorSet) if field.name != "making")
_YEARS = ("least", "usual", "most")
_OF_MAKING = (
    *("gpu_co2e_kg", "server_co2e_kg", "gpus_of_a_server"),
    *(f"{name}_years" for name in _YEARS),
)
_OF_AN_ACCELERATOR = (
    *("code", "fitted", "tdp_w", "bandwidth_tb_s", "vram_gb", "peak_tflops"),
    *("k_w", "k_a", "k_c", "k_n", "flop_per_joule", "typical_w"),
)
FACTORS = File("factors", ("name", *_OF_A_SET, *_OF_MAKING), _factors)
ACCELERATOR_SHEET = File("accelerators", _OF_AN_ACCELERATOR, _accelerators)
MEASUREMENTS = File(
    "measurements",
    (
        *("name", "model", "weights", "accelerator", "gpus", "requests_at_a_time"),
        *("measured_j_per_token", "modelled_j_per_token", "ratio", "source"),
    ),
    _measurements,
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A factor set as the page shows it: per kilowatt hour."""

    factors: FactorSet
    label: Words

    @property
    def co2e_g(self) -> Interval:
        return self.factors.gwp_g_per_kwh

    @property
    def has_range(self) -> bool:
        return self.co2e_g.low < self.co2e_g.high

    @property
    def metals_mg(self) -> float:
        return self.factors.adpe_ng_per_kwh * 1e-6

    @property
    def primary_mj(self) -> float:
        return self.factors.pe_j_per_kwh * 1e-6

    @property
    def water_l(self) -> float:
        return self.factors.water_ul_per_kwh * 1e-6


def grids() -> list[Grid]:
    return [Grid(factors, GRIDS[code]) for code, factors in SHIPPED.items()]


def sources() -> list[tuple[str, FactorSet]]:
    """Return each source once: the names of its sets, and one of them."""
    told: dict[str, list[FactorSet]] = {}
    for factors in SHIPPED.values():
        told.setdefault(factors.source, []).append(factors)
    return [(", ".join(each.name for each in sets), sets[0]) for sets in told.values()]


def accelerators() -> Iterable[Accelerator]:
    return ACCELERATORS.values()


@dataclass(frozen=True, slots=True)
class Compared:
    """Wh of an answer as EcoLogits tells it, 0.8.2 and 0.11.3, and as we do."""

    answered: Answered
    newer_wh: float
    ours: Quantity


def compared() -> list[Compared]:
    return [
        Compared(
            each,
            _ecologits(each.instance.params, COMPLETION)[0] * 1e3,
            quantity(_ours(each).impact.energy_kwh, WH),
        )
        for each in ANSWERED
    ]


@dataclass(frozen=True, slots=True)
class Mistral:
    """Grams of CO2e of the same answer: assessed, by EcoLogits 0.11.3, and ours."""

    tokens: int
    batch: int
    assessed_g: float
    ecologits_g: float
    ours_g: float

    @property
    def times(self) -> float:
        """By which EcoLogits tells less."""
        return self.assessed_g / self.ecologits_g


def mistral() -> Mistral:
    ours = tell(
        MISTRAL_LARGE,
        Tokens(completion=MISTRAL_TOKENS),
        Conditions(batch_milli=MISTRAL_BATCH * 1_000),
        FRANCE,
    )
    return Mistral(
        tokens=MISTRAL_TOKENS,
        batch=MISTRAL_BATCH,
        assessed_g=MISTRAL_CO2E_G,
        ecologits_g=_ecologits(MISTRAL_LARGE.params, MISTRAL_TOKENS)[1] * 1e3,
        ours_g=ours.impact.co2e_g.central,
    )


def _ours(each: Answered) -> Told:
    conditions = Conditions(batch_milli=each.batch * 1_000)
    return tell(each.instance, Tokens(completion=COMPLETION), conditions, FRANCE)


def _ecologits(params: float, completion: int) -> tuple[float, float]:
    """kWh and kg CO2e of a dense model in France."""
    mix = mix_of(FRANCE, round(ECOLOGITS_PUE * 1_000))
    told = ecologits_impact(active=params, params=params, completion=completion, mix=mix)
    return told.kwh, told.gwp
