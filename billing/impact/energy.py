"""A request's energy in integer millijoules, with what it may be at least and at most.

All figures are IT: what the machines draw, before cooling and losses; `pue_milli` goes along for `factors`.

    W      = params · bits / 8                                     gigabytes of weights
    R(B)   = W · (1 − (1 − active/params)^B)                       gigabytes read per step: a mixture of experts
                                                                   touches more of them as the batch B grows
    decode = (k_w·R(B) + k_c·n) / B + k_a·active + k_n·n           J per token written, all n GPUs together
    prompt = 2·10⁹·active / flop_per_joule                         J per token read and not found in the cache
    GPU    = completion · decode + (prompt − cached) · prompt
    IT     = GPU · (1 + overhead of CPU, memory, fans)

Fitted on ML.ENERGY Leaderboard v3 (see `hardware`): median error 14.5 % on the H100, 95 % of the points within a
factor of 1.74, of models left out of the fit within 1.82. `docs/impact.md` says what that is worth.

Not here: energies of meters (`meters`, `windows`), CO2e (`factors`), where the batch comes from.
"""

from dataclasses import dataclass, field

from billing.impact.enums import Method, Scope
from billing.impact.hardware import Accelerator
from billing.impact.interval import Interval

METHOD_VERSION = 1
"""Raised whenever the same request would get another figure. Stored beside each one."""

DEFAULT_PUE_MILLI = 1500
"""Site over IT, thousandths. ARCEP, 4th survey: French data centres 2023, 2.4 TWh for 1.6 TWh of IT."""

FITTED_SPREAD = 1.8
"""÷ and ×: about 95 % of the points of models that were left out of the fit lie within (1.82)."""
WIDE_SPREAD = 3.0
"""÷ and × where nothing was fitted: other accelerators, small batches, prompts, GPU time."""
CALIBRATED_SPREAD = 1.25

LEAST_FITTED_BATCH_MILLI = 8_000
"""Requests at a time, thousandths. The measurements begin at 8."""

_JOULE = 1_000
"""Millijoules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Of one request. `cached` is the part of `prompt` that cost no reading. Raises `ValueError` below 0."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0

    def __post_init__(self) -> None:
        if min(self.prompt, self.cached, self.completion) < 0:
            raise ValueError(f"a negative number of tokens: {self}")

    @property
    def read(self) -> int:
        """Tokens of the prompt that were reckoned. A server that reports more cached than sent reads none."""
        return max(self.prompt - self.cached, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A model as one server runs it. Parameters in 10⁹; a dense model has all active. Raises `ValueError`.

    `bits` per weight as stored: 16 for BF16, 8 for FP8, 4.25 for MXFP4 (32 weights share a scale of 8 bits).
    """

    params: float
    active: float
    bits: float
    accelerator: Accelerator
    n_gpu: int

    def __post_init__(self) -> None:
        if not 0 < self.active <= self.params < float("inf"):
            raise ValueError(f"active parameters are some of all: {self.active} of {self.params}")
        if not 0 < self.bits <= 64:
            raise ValueError(f"a weight of {self.bits} bits")
        if self.n_gpu < 1:
            raise ValueError(f"{self.n_gpu} GPUs")

    @property
    def weights_gb(self) -> float:
        return self.params * self.bits / 8


DEFAULT_OVERHEAD = Interval(0.25, 0.35, 0.45)
"""Rest of the server over its GPUs. 0.25: 1.2 kW for eight (EcoLogits); 0.43: Google's breakdown for Gemini."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Around a request. Raises `ValueError` on a PUE below 1.

    batch_milli  requests at a time on the server, mean over the request, thousandths; below one counts as one
    pue_milli    site over IT, thousandths
    overhead     rest of the server over its GPUs
    """

    batch_milli: int
    pue_milli: int = DEFAULT_PUE_MILLI
    overhead: Interval = DEFAULT_OVERHEAD

    def __post_init__(self) -> None:
        if self.pue_milli < 1_000:
            raise ValueError(f"a PUE of {self.pue_milli} thousandths")

    @property
    def batch(self) -> float:
        return max(self.batch_milli, 1_000) / 1_000


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured over modelled, of one model on one server; `scope` says what the meter saw."""

    factor: float
    scope: Scope

    def __post_init__(self) -> None:
        if not 0 < self.factor < float("inf"):
            raise ValueError(f"a calibration by {self.factor}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is stored with a request. Energies in millijoules IT, 0 ≤ low ≤ energy ≤ high.

    Each energy is rounded once, half to even. So a request cut in two under the same conditions sums to the whole
    within 1 mJ in each bound and in `gpu_mj`; `host_mj`, which is the rest, within 2.
    """

    method: Method
    energy_mj: int = 0
    energy_low_mj: int = 0
    energy_high_mj: int = 0
    gpu_mj: int = 0
    batch_milli: int = 0
    pue_milli: int = DEFAULT_PUE_MILLI
    method_version: int = field(default=METHOD_VERSION)

    @property
    def host_mj(self) -> int:
        """The part of CPU, memory and fans."""
        return self.energy_mj - self.gpu_mj

    @property
    def energy(self) -> Interval:
        """Millijoules IT."""
        return Interval(self.energy_low_mj, self.energy_mj, self.energy_high_mj)


UNKNOWN = Estimate(method=Method.NONE)
"""Of a request on a machine that is not known: no figure."""


def estimate(
    instance: Instance | None,
    tokens: Tokens,
    conditions: Conditions,
    calibration: Calibration | None = None,
) -> Estimate:
    """Return the energy of a request that writes or reads text; `UNKNOWN` without an instance."""
    if instance is None:
        return UNKNOWN
    decode = tokens.completion * decode_joules(instance, conditions.batch)
    prompt = tokens.read * prompt_joules(instance)
    fitted = instance.accelerator.fitted and conditions.batch_milli >= LEAST_FITTED_BATCH_MILLI
    spread = FITTED_SPREAD if fitted else WIDE_SPREAD
    gpu = Interval.around(decode, spread) + Interval.around(prompt, WIDE_SPREAD)
    method = Method.MODEL if fitted else Method.EXTRAPOLATED
    return _modelled(method, gpu, conditions, calibration)


def estimate_gpu_time(
    accelerator: Accelerator | None,
    n_gpu: int,
    service_ms: int,
    conditions: Conditions,
    calibration: Calibration | None = None,
) -> Estimate:
    """Return the energy of a request whose tokens say little: speech, embeddings, pictures, OCR.

    Typical power of the GPUs over the time at the server, shared by the requests that are there meanwhile.
    `service_ms` below 0, as of a clock that was set back, counts as 0.
    """
    if accelerator is None:
        return UNKNOWN
    seconds = max(service_ms, 0) / 1_000
    joules = accelerator.typical_w * n_gpu * seconds / conditions.batch
    gpu = Interval.around(joules, WIDE_SPREAD)
    return _modelled(Method.GPU_TIME, gpu, conditions, calibration)


def measured(attributed_mj: int, scope: Scope, conditions: Conditions) -> Estimate:
    """Return what windows attributed to a request as its energy (`windows.attribute`).

    A meter of GPUs gets the overhead added, and its range with it. A meter of the server is exact, and its
    accelerators' part is the usual one. A meter's own error is not in the range.
    """
    seen = Interval.exactly(attributed_mj / _JOULE)
    if scope is Scope.SERVER:
        gpu_joules = seen.central / (1 + conditions.overhead.central)
        return _rounded(Method.MEASURED, seen, gpu_joules, conditions)
    return _rounded(Method.MEASURED, _with_overhead(seen, conditions), seen.central, conditions)


def decode_joules(instance: Instance, batch: float) -> float:
    """Joules of all GPUs per token written, with `batch` ≥ 1 requests at a time."""
    accelerator, n_gpu = instance.accelerator, instance.n_gpu
    untouched: float = (1 - instance.active / instance.params) ** batch
    step = accelerator.k_w * instance.weights_gb * (1 - untouched) + accelerator.k_c * n_gpu
    return step / batch + accelerator.k_a * instance.active + accelerator.k_n * n_gpu


def prompt_joules(instance: Instance) -> float:
    """Joules of all GPUs per token of the prompt that is not in the cache: two operations per active weight."""
    return 2e9 * instance.active / instance.accelerator.flop_per_joule


def _modelled(
    method: Method, gpu: Interval, conditions: Conditions, calibration: Calibration | None
) -> Estimate:
    if calibration is None:
        return _rounded(method, _with_overhead(gpu, conditions), gpu.central, conditions)
    gpu_joules = gpu.central * calibration.factor
    corrected = Interval.around(gpu_joules, CALIBRATED_SPREAD)
    if calibration.scope is Scope.SERVER:
        energy = corrected.scaled(1 + conditions.overhead.central)
    else:
        energy = _with_overhead(corrected, conditions)
    return _rounded(Method.CALIBRATED, energy, gpu_joules, conditions)


def _with_overhead(gpu: Interval, conditions: Conditions) -> Interval:
    return gpu + gpu.times(conditions.overhead)


def _rounded(
    method: Method, joules: Interval, gpu_joules: float, conditions: Conditions
) -> Estimate:
    """`batch_milli` is kept as it was reckoned with, so that the figure can be found again."""
    return Estimate(
        method=method,
        energy_mj=round(joules.central * _JOULE),
        energy_low_mj=round(joules.low * _JOULE),
        energy_high_mj=round(joules.high * _JOULE),
        gpu_mj=round(gpu_joules * _JOULE),
        batch_milli=max(conditions.batch_milli, 1_000),
        pue_milli=conditions.pue_milli,
    )
