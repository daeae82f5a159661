"""From millijoules of IT to CO2e, water, primary energy and metals; and the share of making the machines.

A factor set is never edited: a better number is a new version, and a figure names the one it was made with.
Not here: who chooses a set, and live intensities of the grid, which count direct emissions only and must not be
added to the life-cycle factors of these sets.
"""

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from billing.impact.interval import ZERO, Interval

MJ_PER_KWH = 3_600_000_000
"""Millijoules of a kilowatt hour."""
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Footprint:
    """What making a thing cost, once."""

    co2e_kg: float
    adpe_kg_sb: float
    """Depletion of metals and minerals, kilograms of antimony equivalent."""
    primary_mj: float
    """Primary energy, megajoules."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Years that a server serves, at least, usually, at most. Raises `ValueError` when not in order or not above 0."""

    least: float
    usual: float
    most: float

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.usual <= self.most:
            raise ValueError(f"a lifetime of {self.least}, {self.usual}, {self.most} years")

    @property
    def per_second(self) -> Interval:
        """Share of a life that a second is: the longest life gives the least."""
        return Interval(1 / self.most, 1 / self.usual, 1 / self.least).scaled(1 / _YEAR_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Making a server, and how long it serves. `gpu` stands for every accelerator; `server` is without them."""

    gpu: Footprint
    server: Footprint
    gpus_of_a_server: int
    lifetime: Lifetime


ECOLOGITS_0_11_3 = Making(
    gpu=Footprint(273.0, 0.00895, 3721.0),
    server=Footprint(5700.0, 0.37, 70_000.0),
    gpus_of_a_server=8,
    lifetime=Lifetime(3, 5, 7),
)
"""An H100, as no maker's figure is known here for the others, and a server for eight. The lifetime is a choice of
policy: EcoLogits takes 3 years, universities keep servers longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorSet:
    """What a kilowatt hour of a grid costs over the life cycle of its power stations, and making the machines on it.

    gwp_mg_per_kwh    mg CO2e, and at least and at most; the three are equal where no range is known
    adpe_ng_per_kwh   ng Sb eq.
    pe_j_per_kwh      joules of primary energy
    water_ul_per_kwh  microlitres, of making the electricity alone
    making            of the machines: records keep the set's name, so that their share stays as it was told
    """

    code: str
    version: int
    valid_from: date
    gwp_mg_per_kwh: int
    gwp_low_mg_per_kwh: int
    gwp_high_mg_per_kwh: int
    adpe_ng_per_kwh: int
    pe_j_per_kwh: int
    water_ul_per_kwh: int
    making: Making
    source: str
    url: str

    def __post_init__(self) -> None:
        """Raises `ValueError` when the range does not hold the factor, or something is below 0."""
        Interval(self.gwp_low_mg_per_kwh, self.gwp_mg_per_kwh, self.gwp_high_mg_per_kwh)
        if min(self.adpe_ng_per_kwh, self.pe_j_per_kwh, self.water_ul_per_kwh) < 0:
            raise ValueError(f"a negative factor: {self.name}")

    @property
    def name(self) -> str:
        """As `FRA-1`: what figures refer to."""
        return f"{self.code}-{self.version}"

    @property
    def gwp_g_per_kwh(self) -> Interval:
        return Interval(
            self.gwp_low_mg_per_kwh, self.gwp_mg_per_kwh, self.gwp_high_mg_per_kwh
        ).scaled(1e-3)


_ECOLOGITS = (
    "EcoLogits: CO2e of version 0.11.3 (Our World in Data); metals, primary energy and water of its table of mixes, "
    "commit 0adc8ab"
)
_ECOLOGITS_URL = "https://github.com/genai-impact/ecologits"
_FROM = date(2026, 1, 1)


def _grid(code: str, gwp_mg: int, adpe_ng: int, pe_j: int, water_ul: int) -> FactorSet:
    """A grid whose factor has no published range."""
    return FactorSet(
        code=code,
        version=1,
        valid_from=_FROM,
        gwp_mg_per_kwh=gwp_mg,
        gwp_low_mg_per_kwh=gwp_mg,
        gwp_high_mg_per_kwh=gwp_mg,
        adpe_ng_per_kwh=adpe_ng,
        pe_j_per_kwh=pe_j,
        water_ul_per_kwh=water_ul,
        making=ECOLOGITS_0_11_3,
        source=_ECOLOGITS,
        url=_ECOLOGITS_URL,
    )


FRANCE = FactorSet(
    code="FRA",
    version=1,
    valid_from=_FROM,
    gwp_mg_per_kwh=41_440,
    gwp_low_mg_per_kwh=21_700,
    gwp_high_mg_per_kwh=80_000,
    adpe_ng_per_kwh=48_580,
    pe_j_per_kwh=9_313_500,
    water_ul_per_kwh=3_673_700,
    making=ECOLOGITS_0_11_3,
    source=f"{_ECOLOGITS}. Low: direct emissions 2024 (RTE, bilan électrique). High: EcoLogits 0.8.2",
    url=_ECOLOGITS_URL,
)

EVERY = (
    FRANCE,
    _grid("WOR", 458_290, 13_490, 2_587_100, 3_908_000),
    _grid("BEL", 149_820, 33_720, 8_987_600, 2_619_800),
    _grid("DEU", 329_650, 87_870, 8_747_700, 1_947_000),
    _grid("SWE", 35_260, 77_710, 4_730_100, 6_031_500),
    _grid("USA", 384_400, 98_550, 9_688_400, 3_132_100),
)
"""All versions, a newer one of a grid behind the older: a set stays as long as there are figures that name it."""

SHIPPED = MappingProxyType({grid.code: grid for grid in EVERY})
"""The newest of each grid, by code: ISO 3166 alpha-3, and `WOR` for the world's mean."""

NAMED = MappingProxyType({grid.name: grid for grid in EVERY})
"""Every version of every set, by the name that figures refer to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodied:
    """A share of making machines: g CO2e, mg Sb eq., MJ of primary energy."""

    co2e_g: Interval = ZERO
    adpe_mg: Interval = ZERO
    primary_mj: Interval = ZERO


def embodied(making: Making, gpu_seconds: float) -> Embodied:
    """Return what `gpu_seconds` of work use up of the machines: a GPU brings its part of a server along.

    What stood idle meanwhile is nobody's, and in no figure.
    """
    life = making.lifetime.per_second.scaled(gpu_seconds)
    gpu, server, gpus = making.gpu, making.server, making.gpus_of_a_server
    return Embodied(
        co2e_g=life.scaled(1e3 * (gpu.co2e_kg + server.co2e_kg / gpus)),
        adpe_mg=life.scaled(1e6 * (gpu.adpe_kg_sb + server.adpe_kg_sb / gpus)),
        primary_mj=life.scaled(gpu.primary_mj + server.primary_mj / gpus),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What energy and machines cost. Metals in mg Sb eq., primary energy in MJ; water is of use alone.

    Adding two adds lows to lows and highs to highs. Figures of two factor sets may be added, too: each was
    made with the one of its place and day.
    """

    energy_kwh: Interval = ZERO
    """Of the site: IT times PUE."""
    co2e_use_g: Interval = ZERO
    co2e_embodied_g: Interval = ZERO
    adpe_use_mg: Interval = ZERO
    adpe_embodied_mg: Interval = ZERO
    primary_use_mj: Interval = ZERO
    primary_embodied_mj: Interval = ZERO
    water_ml: Interval = ZERO

    @property
    def co2e_g(self) -> Interval:
        return self.co2e_use_g + self.co2e_embodied_g

    @property
    def adpe_mg(self) -> Interval:
        return self.adpe_use_mg + self.adpe_embodied_mg

    @property
    def primary_mj(self) -> Interval:
        return self.primary_use_mj + self.primary_embodied_mj

    def __add__(self, other: "Impact") -> "Impact":
        return Impact(
            energy_kwh=self.energy_kwh + other.energy_kwh,
            co2e_use_g=self.co2e_use_g + other.co2e_use_g,
            co2e_embodied_g=self.co2e_embodied_g + other.co2e_embodied_g,
            adpe_use_mg=self.adpe_use_mg + other.adpe_use_mg,
            adpe_embodied_mg=self.adpe_embodied_mg + other.adpe_embodied_mg,
            primary_use_mj=self.primary_use_mj + other.primary_use_mj,
            primary_embodied_mj=self.primary_embodied_mj + other.primary_embodied_mj,
            water_ml=self.water_ml + other.water_ml,
        )


NOTHING_EMBODIED = Embodied()


def impact(
    energy_mj: Interval,
    pue_milli: int,
    factors: FactorSet,
    *,
    machines: Embodied = NOTHING_EMBODIED,
) -> Impact:
    """Return what `energy_mj` of IT costs at a site. What its cooling evaporates is not known, and not in the water."""
    kwh = energy_mj.scaled(1 / MJ_PER_KWH).scaled(pue_milli / 1_000)
    return Impact(
        energy_kwh=kwh,
        co2e_use_g=kwh.times(factors.gwp_g_per_kwh),
        co2e_embodied_g=machines.co2e_g,
        adpe_use_mg=kwh.scaled(factors.adpe_ng_per_kwh * 1e-6),
        adpe_embodied_mg=machines.adpe_mg,
        primary_use_mj=kwh.scaled(factors.pe_j_per_kwh * 1e-6),
        primary_embodied_mj=machines.primary_mj,
        water_ml=kwh.scaled(factors.water_ul_per_kwh * 1e-3),
    )
