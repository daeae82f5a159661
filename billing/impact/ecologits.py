"""The formula of EcoLogits 0.11.3, written anew from its published method, to compare ours with.

It reproduces what that version answers, coefficients and defaults included, and changes no more: no figure of ours
comes from here. It leaves out prompts, caches, idle machines and other accelerators, and does not know the batch;
`docs/impact.md` says how far it lies from measurements. OpenGateLLM's `usage.carbon` comes from an older version.

Source: genai-impact/ecologits (MPL-2.0), `docs/methodology/llm_inference.md`; JOSS 10(111):7471, 2025.
"""

from dataclasses import dataclass
from math import ceil, exp, inf, log2

BATCH = 64
"""Requests at a time, whatever the server."""

# GPU energy per token, Wh: α·e^(β·B)·active + γ
_ALPHA = 1.1665273170451914e-06
_BETA = -0.011205921025579175
_GAMMA = 4.052928146734005e-05
# Time per token, s: a·active + b·B + c
_A = 6.785088094353663e-4
_B = 3.119310311688259e-4
_C = 1.9473717579473387e-2

_MEMORY_OVERHEAD = 1.2
_GPU_MEMORY_GB = 80
_GPUS_OF_A_SERVER = 8
_SERVER_KW = 1.2
"""A server without its GPUs."""
_LIFETIME_S = 3 * 365 * 24 * 3600
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A grid and a site, per kWh: kg Sb eq., MJ, kg CO2e, litres; `wue_site` in litres per kWh of IT."""

    adpe: float
    pe: float
    gwp: float
    wue_mix: float
    pue: float
    wue_site: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EcologitsImpact:
    """kWh, kg CO2e, kg Sb eq., MJ, litres. Water is of use alone."""

    gpus: int
    duration_s: float
    it_kwh: float
    kwh: float
    gwp_use: float
    gwp_embodied: float
    adpe: float
    pe: float
    water: float

    @property
    def gwp(self) -> float:
        return self.gwp_use + self.gwp_embodied


@dataclass(frozen=True, slots=True)
class _Making:
    """Of a server without GPUs, and of one GPU."""

    server: float
    gpu: float

    def of(self, gpus: int, share: float) -> float:
        return share * (gpus / _GPUS_OF_A_SERVER * self.server + gpus * self.gpu)


_GWP = _Making(5700, 273)
_ADPE = _Making(0.37, 0.00895)
_PE = _Making(70_000, 3721)


def ecologits_impact(
    *,
    active: float,
    params: float,
    completion: int,
    mix: Mix,
    bits: float = 16,
    latency_s: float = inf,
) -> EcologitsImpact:
    """Return what EcoLogits 0.11.3 answers for `completion` tokens of a model of 10⁹ `params`, `active` of them.

    `latency_s`, if measured, bounds the duration that the formula takes.
    """
    gpus = 2 ** ceil(log2(ceil(_MEMORY_OVERHEAD * params * bits / 8 / _GPU_MEMORY_GB)))
    duration_s = min(completion * (_A * active + _B * BATCH + _C), latency_s)
    gpu_kwh = completion * (_ALPHA * exp(_BETA * BATCH) * active + _GAMMA) / 1000
    server_kwh = duration_s / _SECONDS_PER_HOUR * _SERVER_KW * gpus / _GPUS_OF_A_SERVER / BATCH
    it_kwh = server_kwh + gpus * gpu_kwh
    kwh = mix.pue * it_kwh
    share = duration_s / (_LIFETIME_S * BATCH)
    return EcologitsImpact(
        gpus=gpus,
        duration_s=duration_s,
        it_kwh=it_kwh,
        kwh=kwh,
        gwp_use=kwh * mix.gwp,
        gwp_embodied=_GWP.of(gpus, share),
        adpe=kwh * mix.adpe + _ADPE.of(gpus, share),
        pe=kwh * mix.pe + _PE.of(gpus, share),
        water=it_kwh * (mix.wue_site + mix.pue * mix.wue_mix),
    )
