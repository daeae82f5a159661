"""Cases A1 to A9: answers of EcoLogits 0.11.3 itself, which our formula repeats."""

from typing import Any

import pytest

from billing.impact.ecologits import Mix, ecologits_impact
from billing.impact.factors import FRANCE

FRA = Mix(adpe=4.858e-8, pe=9.3135, gwp=0.04144, wue_mix=3.6737, pue=1.2, wue_site=0.5)
UPSTREAM = Mix(adpe=7.37708e-8, pe=9.988, gwp=0.590478, wue_mix=5.04, pue=1.26, wue_site=0.37)

_LLAMA: dict[str, Any] = {"active": 8.03, "params": 8.03, "completion": 500, "mix": FRA}
_OSS: dict[str, Any] = {"active": 5.1, "params": 117, "completion": 500, "mix": FRA}

# gpus, seconds, IT kWh, kWh, kg CO2e, kg Sb eq., MJ, litres
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "A1": (
        _LLAMA,
        "1 22.442865 3.716207750e-05 4.459449300e-05"
        " 5.500805793e-06 2.067682393e-10 4.615552586e-04 1.824078277e-04",
    ),
    "A2": (
        _LLAMA | {"active": 70.6, "params": 70.6},
        "4 43.670013 2.751837954e-04 3.302205544e-04"
        " 4.211533767e-05 1.608524188e-09 3.435288915e-03 1.350723148e-03",
    ),
    "A3": (
        _OSS,
        "4 21.448849 1.427229628e-04 1.712675554e-04"
        " 2.106142206e-05 7.904795081e-10 1.771808874e-03 7.005470997e-04",
    ),
    "A4": (
        _OSS | {"bits": 4},
        "1 21.448849 3.568074071e-05 4.281688885e-05"
        " 5.265355515e-06 1.976198770e-10 4.429522185e-04 1.751367749e-04",
    ),
    "A5": (
        _LLAMA | {"active": 24, "params": 24},
        "1 27.860758 4.523612138e-05 5.428334565e-05"
        " 6.784130343e-06 2.566314971e-10 5.629513512e-04 2.220387876e-04",
    ),
    "A6": (
        _LLAMA | {"active": 3.3, "params": 30.5},
        "1 20.838191 3.477070446e-05 4.172484535e-05"
        " 5.120710293e-06 1.919997227e-10 4.315237296e-04 1.706699166e-04",
    ),
    "A7": (
        {"active": 7.3, "params": 7.3, "completion": 200, "mix": UPSTREAM, "latency_s": 5},
        "1 5 1.219240890e-05 1.536243522e-05"
        " 9.884982105e-06 4.671612511e-11 1.637382534e-04 8.193786478e-05",
    ),
    "A8": (
        {"active": 12.9, "params": 46.7, "completion": 200, "mix": UPSTREAM, "latency_s": 10},
        "2 9.638013 3.169938492e-05 3.994122499e-05"
        " 2.672178882e-05 1.786776519e-10 4.386348256e-04 2.130325464e-04",
    ),
    "A9": (
        _LLAMA | {"latency_s": 1.0},
        "1 1 2.320187916e-05 2.784225499e-05"
        " 1.316543463e-06 1.046914194e-11 2.613684919e-04 1.138850317e-04",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_formula_answers_what_ecologits_answers(name: str) -> None:
    asked, answer = CASES[name]
    gpus, seconds, *figures = map(float, answer.split())

    told = ecologits_impact(**asked)

    assert told.gpus == gpus
    assert told.duration_s == pytest.approx(seconds, abs=5e-7)
    assert [told.it_kwh, told.kwh, told.gwp, told.adpe, told.pe, told.water] == pytest.approx(
        figures, rel=1e-9
    )


def test_use_and_making_are_told_apart_as_ecologits_does() -> None:
    told = ecologits_impact(**_LLAMA)

    assert told.gwp_use == pytest.approx(1.847995790e-06, rel=1e-9)
    assert told.gwp_embodied == pytest.approx(3.652810003e-06, rel=1e-9)


def test_the_french_factors_that_we_ship_are_those_of_ecologits() -> None:
    assert FRANCE.gwp_mg_per_kwh * 1e-6 == pytest.approx(FRA.gwp)
    assert FRANCE.adpe_ng_per_kwh * 1e-12 == pytest.approx(FRA.adpe)
    assert FRANCE.pe_j_per_kwh * 1e-6 == pytest.approx(FRA.pe)
    assert FRANCE.water_ul_per_kwh * 1e-6 == pytest.approx(FRA.wue_mix)
