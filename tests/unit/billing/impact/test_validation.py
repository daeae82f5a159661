"""What was measured and published, and what the documentation says of it."""

import re
from pathlib import Path

import pytest

from billing.impact.ecologits import ecologits_impact
from billing.impact.energy import Tokens
from billing.impact.factors import FRANCE
from billing.impact.interval import significant
from billing.impact.single import gpu_seconds, mix_of, tell
from billing.impact.validation import (
    ANSWERED,
    COMPLETION,
    ECOLOGITS_PUE,
    MEASURED,
    MISTRAL_CO2E_G,
    MISTRAL_LARGE,
    MISTRAL_TOKENS,
    Measured,
    largest_error,
    median_error,
)
from tests.unit.billing.impact.cases import at, llama

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "impact.md"
NUMBERS = re.compile(r"\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def test_the_median_error_is_the_one_that_the_documentation_tells() -> None:
    assert f"**The median error is {median_error():.1%}" in DOCUMENTATION.read_text().replace(
        " %", "%"
    )
    assert median_error() == pytest.approx(0.133, abs=0.0005)
    assert largest_error() == pytest.approx(0.292, abs=0.0005)


@pytest.mark.parametrize("point", MEASURED, ids=lambda point: point.name)
def test_the_documentation_tells_the_same_numbers(point: Measured) -> None:
    lines = DOCUMENTATION.read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"| {point.name} |"))
    found = NUMBERS.search(line)
    assert found is not None
    measured, ours, ratio = map(float, found.groups())

    assert measured == significant(point.joules_per_token, 3)
    assert ours == significant(point.modelled, 3)
    assert ratio == pytest.approx(point.ratio, abs=0.005)


@pytest.mark.parametrize("point", MEASURED, ids=lambda point: point.name)
def test_a_busy_gpus_time_is_near_the_measured_one_and_not_below(point: Measured) -> None:
    around = at(point.batch)
    told = tell(point.instance, Tokens(completion=1000), around, FRANCE).estimate
    measured_s = 1000 * point.instance.n_gpu / point.tokens_per_s

    assert 1 <= gpu_seconds(point.instance, told, around).central / measured_s <= 1.51


def test_what_the_calculator_tells_is_what_the_parts_tell() -> None:
    asked, around = Tokens(prompt=700, cached=200, completion=300), at(12, pue_milli=1300)

    told = tell(llama(), asked, around, FRANCE)
    twice = tell(
        llama(), Tokens(prompt=1400, cached=400, completion=600), at(12, pue_milli=1300), FRANCE
    )

    assert told.impact.energy_kwh.central * 3.6e9 == pytest.approx(1.3 * told.estimate.energy_mj)
    assert 0 < told.impact.co2e_embodied_g.low < told.impact.co2e_embodied_g.central
    assert twice.impact.co2e_embodied_g.central == pytest.approx(
        2 * told.impact.co2e_embodied_g.central, rel=1e-5
    )
    assert told.ecologits.gwp_use == pytest.approx(told.ecologits.kwh * 0.04144)


def test_nothing_asked_wears_no_machine() -> None:
    told = tell(llama(), Tokens(), at(12), FRANCE)

    assert told.impact.co2e_g.high == 0


def test_the_comparisons_of_the_documentation() -> None:
    ours = [
        tell(each.instance, Tokens(completion=COMPLETION), at(each.batch), FRANCE)
        for each in ANSWERED
    ]
    mix = mix_of(FRANCE, round(ECOLOGITS_PUE * 1000))
    theirs = ecologits_impact(
        active=MISTRAL_LARGE.active,
        params=MISTRAL_LARGE.params,
        completion=MISTRAL_TOKENS,
        mix=mix,
    )
    small = ecologits_impact(active=8.03, params=8.03, completion=COMPLETION, mix=mix)

    assert [significant(told.impact.energy_kwh.central * 1000) for told in ours] == [0.056, 0.70]
    assert small.kwh == pytest.approx(0.0446e-3, rel=1e-3)
    assert MISTRAL_CO2E_G / theirs.gwp / 1000 == pytest.approx(24.2, abs=0.05)
