"""A request's impact as fields of its answer's `usage`, for programs.

`usage.impact` is ours. `usage.carbon` has the shape that OpenGateLLM answers with (etalab-ia/OpenGateLLM, commit
80e24d4), so that its clients read it unchanged; the figures in it are ours, not those of its library.
"""

from billing.impact.ecologits import EcologitsImpact
from billing.impact.energy import Estimate
from billing.impact.enums import Method
from billing.impact.factors import FactorSet, Impact
from billing.impact.interval import Interval

DIGITS = 4
"""Significant digits for programs, which may add figures up; pages show fewer (`interval.SHOWN_DIGITS`)."""


def usage_impact(estimate: Estimate, impact: Impact, factors: FactorSet) -> dict[str, object]:
    """Return `usage.impact`: the method and its conditions, then each figure as low, central and high.

    Energy is that of the site, in Wh. Without a figure (`Method.NONE`) only the method is told.
    """
    told: dict[str, object] = {
        "method": str(estimate.method),
        "method_version": estimate.method_version,
    }
    if estimate.method is Method.NONE:
        return told
    return told | {
        "factors": factors.name,
        "pue": estimate.pue_milli / 1_000,
        "batch": estimate.batch_milli / 1_000,
        "energy_wh": _bounds(impact.energy_kwh.scaled(1_000)),
        "co2e_g": {
            "use": _bounds(impact.co2e_use_g),
            "embodied": _bounds(impact.co2e_embodied_g),
            "total": _bounds(impact.co2e_g),
        },
        "water_ml": _bounds(impact.water_ml),
        "primary_energy_mj": _bounds(impact.primary_mj),
        "adpe_mg_sb_eq": _bounds(impact.adpe_mg),
    }


def usage_carbon(impact: Impact) -> dict[str, dict[str, float]]:
    """Return `usage.carbon`: kWh of the site and kg CO2e with the machines' share, at least and at most."""
    return _carbon(impact.energy_kwh, impact.co2e_g.scaled(1e-3))


def ecologits_carbon(impact: EcologitsImpact) -> dict[str, dict[str, float]]:
    """Return the same of EcoLogits' formula, which knows no range, to compare."""
    return _carbon(Interval.exactly(impact.kwh), Interval.exactly(impact.gwp))


def _carbon(kwh: Interval, co2e_kg: Interval) -> dict[str, dict[str, float]]:
    return {
        "kWh": {"min": kwh.low, "max": kwh.high},
        "kgCO2eq": {"min": co2e_kg.low, "max": co2e_kg.high},
    }


def _bounds(figure: Interval) -> dict[str, float]:
    shown = figure.rounded(DIGITS)
    return {"low": shown.low, "central": shown.central, "high": shown.high}
