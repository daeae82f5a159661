"""What one request would come to, told beforehand: of a calculator, which knows no server's record.

The machines' share goes by the time in which GPUs at their typical power take the request's energy: from the same to
half as much again as the measured times of `validation`. Idle machines are left out.
"""

from dataclasses import dataclass

from billing.impact.ecologits import EcologitsImpact, Mix, ecologits_impact
from billing.impact.energy import Conditions, Estimate, Instance, Tokens, estimate
from billing.impact.factors import Embodied as Machines
from billing.impact.factors import FactorSet, Impact, embodied, impact
from billing.impact.interval import Interval

_JOULE = 1_000
"""Millijoules."""


@dataclass(frozen=True, slots=True)
class Told:
    """Ours, and what EcoLogits 0.11.3 would say on the same grid with the same PUE."""

    estimate: Estimate
    impact: Impact
    ecologits: EcologitsImpact


def tell(instance: Instance, tokens: Tokens, conditions: Conditions, factors: FactorSet) -> Told:
    """Return the impact of a request of `tokens` to a busy `instance`."""
    told = estimate(instance, tokens, conditions)
    machines = _machines(factors, gpu_seconds(instance, told, conditions))
    return Told(
        told,
        impact(told.energy, told.pue_milli, factors, machines=machines),
        ecologits_impact(
            active=instance.active,
            params=instance.params,
            completion=tokens.completion,
            bits=instance.bits,
            mix=mix_of(factors, conditions.pue_milli),
        ),
    )


def gpu_seconds(instance: Instance, told: Estimate, conditions: Conditions) -> Interval:
    """Return the seconds of one busy GPU that a request takes; a longer one takes more energy, too."""
    watts = instance.accelerator.typical_w
    overhead = conditions.overhead
    return Interval(
        told.energy_low_mj / (1 + overhead.low),
        told.energy_mj / (1 + overhead.central),
        told.energy_high_mj / (1 + overhead.high),
    ).scaled(1 / _JOULE / watts)


def mix_of(factors: FactorSet, pue_milli: int) -> Mix:
    """Return a factor set as EcoLogits takes it, at a site whose cooling takes no water."""
    return Mix(
        adpe=factors.adpe_ng_per_kwh * 1e-12,
        pe=factors.pe_j_per_kwh * 1e-6,
        gwp=factors.gwp_mg_per_kwh * 1e-6,
        wue_mix=factors.water_ul_per_kwh * 1e-6,
        pue=pue_milli / 1_000,
        wue_site=0,
    )


def _machines(factors: FactorSet, seconds: Interval) -> Machines:
    second = embodied(factors.making, 1)
    return Machines(
        co2e_g=second.co2e_g.times(seconds),
        adpe_mg=second.adpe_mg.times(seconds),
        primary_mj=second.primary_mj.times(seconds),
    )
