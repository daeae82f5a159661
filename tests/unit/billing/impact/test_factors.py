import hashlib
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.energy import Tokens, estimate
from billing.impact.factors import (
    EVERY,
    FRANCE,
    MJ_PER_KWH,
    NAMED,
    SHIPPED,
    FactorSet,
    Lifetime,
    embodied,
    impact,
)
from billing.impact.interval import Interval
from billing.impact.validation import LLAMA_70B
from tests.unit.billing.impact.cases import at, llama

ONE_KWH = Interval.exactly(MJ_PER_KWH)


def test_a_kilowatt_hour_in_france() -> None:
    told = impact(ONE_KWH, 1000, FRANCE)

    assert told.energy_kwh == Interval(1, 1, 1)
    assert told.co2e_use_g.low == pytest.approx(21.7)
    assert told.co2e_use_g.central == pytest.approx(41.44)
    assert told.co2e_use_g.high == pytest.approx(80)
    assert told.adpe_mg.central == pytest.approx(0.04858)
    assert told.primary_mj.central == pytest.approx(9.3135)
    assert told.water_ml.central == pytest.approx(3673.7)


@given(st.integers(0, 10**15), st.integers(1000, 3000))
def test_kilowatt_hours_times_the_factor_are_the_use(mj: int, pue_milli: int) -> None:
    told = impact(Interval.exactly(mj), pue_milli, FRANCE)

    assert told.energy_kwh.central == pytest.approx(mj / 3.6e9 * pue_milli / 1000)
    assert told.co2e_use_g.central == pytest.approx(told.energy_kwh.central * 41.44)
    assert told.co2e_g == told.co2e_use_g


@given(st.integers(0, 10**12), st.integers(1000, 2999))
def test_a_worse_site_never_costs_less(mj: int, pue_milli: int) -> None:
    here = impact(Interval.exactly(mj), pue_milli, FRANCE)
    worse = impact(Interval.exactly(mj), pue_milli + 1, FRANCE)

    assert worse.energy_kwh.central >= here.energy_kwh.central
    assert worse.co2e_g.high >= here.co2e_g.high
    assert worse.water_ml.central >= here.water_ml.central


def test_low_energy_on_a_low_factor_is_the_least() -> None:
    told = impact(Interval(1e9, 2e9, 4e9), 1000, FRANCE)

    assert told.co2e_use_g.low == pytest.approx(1 / 3.6 * 21.7)
    assert told.co2e_use_g.high == pytest.approx(4 / 3.6 * 80)


def test_two_impacts_add_up_in_every_figure() -> None:
    one = impact(ONE_KWH, 1500, FRANCE, machines=embodied(FRANCE.making, 3600))
    other = impact(ONE_KWH, 1200, SHIPPED["DEU"])

    both = one + other

    for name in both.__slots__:
        assert getattr(both, name) == getattr(one, name) + getattr(other, name)
    assert both.co2e_g.central == pytest.approx(one.co2e_g.central + other.co2e_g.central)


def test_a_second_of_an_h100_uses_up_its_part_of_a_server() -> None:
    told = embodied(FRANCE.making, 1)

    assert told.co2e_g.central == pytest.approx((273 + 5700 / 8) * 1000 / (5 * 365 * 86400))
    assert told.adpe_mg.central == pytest.approx((0.00895 + 0.37 / 8) * 1e6 / (5 * 365 * 86400))
    assert told.primary_mj.central == pytest.approx((3721 + 70000 / 8) / (5 * 365 * 86400))
    assert told.co2e_g.low == pytest.approx(told.co2e_g.central * 5 / 7)
    assert told.co2e_g.high == pytest.approx(told.co2e_g.central * 5 / 3)


def test_a_server_that_worked_for_its_life_is_used_up_as_a_whole() -> None:
    told = embodied(FRANCE.making, 8 * 5 * 365 * 86400)

    assert told.co2e_g.central == pytest.approx(1e3 * (8 * 273 + 5700))


@pytest.mark.parametrize("years", [(0, 5, 7), (5, 3, 7), (3, 7, 5), (-1, -1, -1)])
def test_a_lifetime_that_cannot_be_is_refused(years: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        Lifetime(*years)


def numbers(factors: FactorSet) -> str:
    """Return a digest of all that figures are made with; words about their source may be mended."""
    told = repr(astuple(replace(factors, source="", url="")))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def test_no_set_that_figures_name_is_ever_edited() -> None:
    """What is known better is a new version and a new line here: none of these changes, or goes."""
    assert {each.name: numbers(each) for each in EVERY} == {
        "FRA-1": "e7a2f7903ae1d0ef",
        "WOR-1": "1a93bdcbf87d0c40",
        "BEL-1": "a2e1fd1e69b1ef61",
        "DEU-1": "05b6264d5b7648c5",
        "SWE-1": "a454f6c2eb201e3f",
        "USA-1": "1a9d70627a14bd12",
    }


def test_the_newest_of_a_grid_is_used_and_every_one_is_known() -> None:
    assert len(NAMED) == len(EVERY)
    assert {each.name for each in SHIPPED.values()} <= NAMED.keys()
    assert all(
        each.version <= SHIPPED[each.code].version and each == NAMED[each.name] for each in EVERY
    )


@pytest.mark.parametrize("code", SHIPPED)
def test_every_shipped_set_tells_its_source(code: str) -> None:
    grid = SHIPPED[code]

    assert grid.name == f"{code}-{grid.version}"
    assert grid.source
    assert grid.url.startswith("https://")


def test_the_grids_that_we_ship_are_in_the_order_that_people_expect() -> None:
    factors = {code: grid.gwp_mg_per_kwh for code, grid in SHIPPED.items()}

    assert sorted(factors, key=lambda code: factors[code]) == [
        *("SWE", "FRA", "BEL"),
        *("DEU", "USA", "WOR"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gwp_low_mg_per_kwh": 50_000},
        {"gwp_high_mg_per_kwh": 1},
        {"gwp_low_mg_per_kwh": -1},
        {"water_ul_per_kwh": -1},
        {"adpe_ng_per_kwh": -1},
        {"pe_j_per_kwh": -1},
    ],
)
def test_a_factor_set_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"order|negative"):
        replace(FRANCE, **wrong)


def test_the_example_of_the_documentation() -> None:
    """Llama 3.3 70B on four H100, 16 requests at a time, 500 tokens read and 500 written, in France."""
    told = estimate(LLAMA_70B, Tokens(prompt=500, completion=500), at(16))
    cost = impact(told.energy, told.pue_milli, FRANCE)

    assert (told.gpu_mj, told.energy_mj) == (1_351_273, 1_824_219)
    assert (cost.energy_kwh.scaled(1000)).rounded(2) == Interval(0.38, 0.76, 1.6)
    assert cost.co2e_use_g.scaled(1000).rounded(2) == Interval(8.2, 31, 120)


def test_our_answer_for_a_large_model_lies_below_the_assessment_that_the_documentation_quotes() -> (
    None
):
    """Mistral Large 2, 400 tokens: 1.14 g in its maker's life-cycle assessment."""
    large = llama(123, n_gpu=4)
    seconds = 400 * 0.03
    told = impact(
        estimate(large, Tokens(completion=400), at(32)).energy,
        1500,
        FRANCE,
        machines=embodied(FRANCE.making, seconds * 4 / 32),
    )

    assert told.co2e_g.central == pytest.approx(0.031, abs=0.001)
    assert told.energy_kwh.central * 1000 == pytest.approx(0.53, abs=0.01)
