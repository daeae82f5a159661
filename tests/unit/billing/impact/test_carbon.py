import msgspec
import pytest

from billing.impact.carbon import ecologits_carbon, usage_carbon, usage_impact
from billing.impact.ecologits import Mix, ecologits_impact
from billing.impact.energy import UNKNOWN, Tokens, estimate
from billing.impact.factors import FRANCE, Impact, embodied, impact
from billing.impact.validation import LLAMA_8B
from tests.unit.billing.impact.cases import at

ASKED = Tokens(prompt=1000, cached=200, completion=500)
TOLD = estimate(LLAMA_8B, ASKED, at(32))
IMPACT = impact(TOLD.energy, TOLD.pue_milli, FRANCE, machines=embodied(FRANCE.making, 0.5))


def test_an_answer_tells_the_method_and_every_figure_with_its_range() -> None:
    told = msgspec.json.decode(msgspec.json.encode(usage_impact(TOLD, IMPACT, FRANCE)))

    assert list(told) == [
        *("method", "method_version", "factors", "pue", "batch"),
        *("energy_wh", "co2e_g", "water_ml", "primary_energy_mj", "adpe_mg_sb_eq"),
    ]
    assert (told["method"], told["factors"], told["pue"], told["batch"]) == (
        "model",
        "FRA-1",
        1.5,
        32,
    )
    for figure in (told["energy_wh"], told["co2e_g"]["use"], told["water_ml"]):
        assert 0 < figure["low"] < figure["central"] < figure["high"]
    assert told["energy_wh"]["central"] == pytest.approx(TOLD.energy_mj / 3.6e6 * 1.5, rel=1e-3)
    assert told["co2e_g"]["total"]["central"] == pytest.approx(
        told["co2e_g"]["use"]["central"] + told["co2e_g"]["embodied"]["central"], rel=1e-3
    )


def test_without_a_figure_only_that_is_told() -> None:
    assert usage_impact(UNKNOWN, Impact(), FRANCE) == {"method": "none", "method_version": 1}


def test_the_shape_that_clients_of_opengatellm_read() -> None:
    told = usage_carbon(IMPACT)

    assert told == {
        "kWh": {"min": IMPACT.energy_kwh.low, "max": IMPACT.energy_kwh.high},
        "kgCO2eq": {
            "min": pytest.approx(IMPACT.co2e_g.low / 1000),
            "max": pytest.approx(IMPACT.co2e_g.high / 1000),
        },
    }
    assert 0 < told["kWh"]["min"] < told["kWh"]["max"]


def test_ecologits_tells_the_same_shape_without_a_range() -> None:
    mix = Mix(adpe=4.858e-8, pe=9.3135, gwp=0.04144, wue_mix=3.6737, pue=1.2, wue_site=0.5)
    told = ecologits_carbon(ecologits_impact(active=8.03, params=8.03, completion=500, mix=mix))

    assert told["kWh"]["min"] == told["kWh"]["max"] == pytest.approx(4.4594493e-05)
    assert told["kgCO2eq"]["max"] == pytest.approx(5.500805793e-06)
