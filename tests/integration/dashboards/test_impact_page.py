"""The impact page tells the core's numbers, refuses what cannot be at its field, and gives all of them as files."""

import csv
import re
from html import unescape
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils.translation import override

from billing.impact.ecologits import ecologits_impact
from billing.impact.energy import Conditions, Instance, Tokens, estimate
from billing.impact.enums import Method
from billing.impact.factors import FRANCE, SHIPPED, impact
from billing.impact.hardware import ACCELERATORS, H100
from billing.impact.single import mix_of
from billing.impact.validation import MEASURED, median_error
from dashboards.impact.calculator import DEFAULTS, OF_A_MODEL, PRESETS, CalculatorForm
from dashboards.impact.labels import BADGES, explained
from dashboards.impact.quantities import digits
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment
from tests.support.factories import Cast
from tests.support.pages import queries_of, signed_in_as

pytestmark = pytest.mark.django_db
NO_BREAK = "\N{NO-BREAK SPACE}"
LLAMA = {"params": "8.03", "active": "", "bits": "16", "gpu": "H100", "gpus": "1"}
ASKED = {
    **LLAMA,
    "batch": "32",
    "prompt": "900",
    "cached": "400",
    "completion": "500",
    "pue": "1.2",
}


@pytest.fixture(autouse=True)
def _plain(plain_static: None) -> None:
    """Static files by their own names."""


def read(asked: dict[str, str] | None = None, language: str = "en") -> str:
    answer = Client().get("/impact/", asked or {}, headers={"accept-language": language})
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def file(name: str, asked: dict[str, str] | None = None, language: str = "en") -> list[Any]:
    answer = Client().get(f"/impact/{name}", asked or {}, headers={"accept-language": language})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = async_to_sync(whole)(answer).removeprefix("\ufeff")
    return list(csv.DictReader(StringIO(text), delimiter=";" if language == "fr" else ","))


async def whole(answer: Any) -> str:
    return b"".join([piece async for piece in answer.streaming_content]).decode()


def errors(**changed: str) -> set[str]:
    return set(CalculatorForm({**ASKED, **changed}).errors)


# The calculator


def test_the_calculator_tells_what_the_core_tells() -> None:
    llama = Instance(params=8.03, active=8.03, bits=16, accelerator=H100, n_gpu=1)
    told = estimate(
        llama,
        Tokens(prompt=900, cached=400, completion=500),
        Conditions(batch_milli=32_000, pue_milli=1_200),
    )
    cost = impact(told.energy, 1_200, FRANCE)
    theirs = ecologits_impact(active=8.03, params=8.03, completion=500, mix=mix_of(FRANCE, 1_200))

    rows = {row["figure"]: row for row in file("csv/", ASKED)}

    for name, figure in (
        ("energy", cost.energy_kwh),
        ("co2e_use", cost.co2e_use_g),
        ("water", cost.water_ml),
    ):
        bounds = [float(rows[name][bound]) for bound in ("low", "central", "high")]
        assert bounds == pytest.approx([figure.low, figure.central, figure.high])
    assert float(rows["energy"]["ecologits_0_11_3"]) == pytest.approx(theirs.kwh)
    assert float(rows["co2e"]["ecologits_0_11_3"]) == pytest.approx(theirs.gwp * 1e3)
    assert {row["method"] for row in rows.values()} == {Method.MODEL.value}
    assert f"{digits(cost.energy_kwh.central * 1e6)}{NO_BREAK}mWh" in read(ASKED)


def test_the_page_begins_with_the_example_of_the_documentation() -> None:
    english, french = words(read()), words(read(language="fr"))

    assert "Energy of the site 0.38 Wh 0.76 Wh 1.6 Wh" in english.replace(NO_BREAK, " ")
    assert "Énergie du site 0,38 Wh 0,76 Wh 1,6 Wh" in french.replace(NO_BREAK, " ")
    assert "31 mg" in english.replace(NO_BREAK, " ")


def test_the_badge_says_when_a_machine_was_not_fitted() -> None:
    assert file("csv/", {**ASKED, "gpu": "A100-80"})[0]["method"] == Method.EXTRAPOLATED
    assert file("csv/", {**ASKED, "batch": "4"})[0]["method"] == Method.EXTRAPOLATED
    assert (
        Client().get("/impact/", {**ASKED, "batch": "4"}).context["answer"].badge
        == (BADGES[Method.EXTRAPOLATED])
    )


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"params": ""}, "params"),
        ({"params": "0"}, "params"),
        ({"params": "nan"}, "params"),
        ({"params": "inf"}, "params"),
        ({"params": "1e99999"}, "params"),
        ({"params": "5001"}, "params"),
        ({"params": "huit"}, "params"),
        ({"active": "9"}, "active"),
        ({"active": "-1"}, "active"),
        ({"bits": "0"}, "bits"),
        ({"bits": "64"}, "bits"),
        ({"gpu": "Abacus"}, "gpu"),
        ({"gpus": "0"}, "gpus"),
        ({"gpus": "1.5"}, "gpus"),
        ({"params": "70", "gpus": "1"}, "gpus"),
        ({"batch": "0"}, "batch"),
        ({"batch": "1025"}, "batch"),
        ({"prompt": "-1"}, "prompt"),
        ({"prompt": "1000001"}, "prompt"),
        ({"cached": "901"}, "cached"),
        ({"completion": "9" * 400}, "completion"),
        ({"pue": "0.9"}, "pue"),
        ({"pue": "5.01"}, "pue"),
        ({"grid": "MOON"}, "grid"),
        ({"grid": "\0"}, "grid"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(changed: dict[str, str], field: str) -> None:
    assert errors(**changed) == {field}

    html = read({**ASKED, **changed})

    assert f'id="id_{field}_error"' in html
    assert "There is no figure" in html
    assert "data-figure" not in html


@pytest.mark.parametrize("given", ["huit", '"><b>', "1e5", "9" * 400])
def test_what_is_no_number_is_not_shown_again(given: str) -> None:
    html = Client().get("/impact/", {**ASKED, "params": given}).content.decode()
    field = re.search(r'<input[^>]*name="params"[^>]*>', html)

    assert field is not None
    assert "value=" not in field[0]


def test_the_file_of_what_cannot_be_leads_back_to_where_it_is_told() -> None:
    answer = Client().get("/impact/csv/", {"pue": "0.5"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/impact/?pue=0.5#calculator"


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "0", "cached": "0", "completion": "0"},
        {"params": "0.01", "bits": "1"},
        {"params": "5000", "bits": "4", "gpus": "64", "pue": "5", "batch": "1"},
        {"prompt": "1000000", "cached": "1000000", "completion": "1000000", "batch": "1024"},
        {"nonsense": "1"},
    ],
)
def test_every_limit_itself_has_a_figure(changed: dict[str, str]) -> None:
    assert "data-figure" in read({**ASKED, **changed})


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_in_the_model_and_keeps_the_rest(name: str) -> None:
    form = CalculatorForm({**ASKED, "grid": "DEU"})
    query = next(query for each, query, _ in form.presets() if each == name)

    answer = Client().get(f"/impact/?{query}")
    asked = answer.context["form"]

    assert asked.is_valid()
    assert asked.instance == PRESETS[name]
    assert {field: asked.data[field] for field in ("batch", "prompt", "grid")} == {
        "batch": "32",
        "prompt": "900",
        "grid": "DEU",
    }
    assert [each for each, _, is_asked in asked.presets() if is_asked] == [name]


def test_a_preset_names_every_field_of_a_model() -> None:
    assert set(OF_A_MODEL) <= DEFAULTS.keys()
    assert DEFAULTS.keys() == CalculatorForm.base_fields.keys()


# The method


def test_the_measurements_stand_on_the_page_with_their_error() -> None:
    text = words(read())

    for point in MEASURED:
        line = f"{point.name} {point.model} {point.weights} {point.instance.n_gpu} × H100 {point.batch}"
        assert f"{line} {digits(point.joules_per_token, 3)} {digits(point.modelled, 3)}" in text
    assert f"{100 * median_error():.1f}%" in text.replace(" %", "%")


def test_every_badge_is_explained_in_both_languages() -> None:
    assert [each.method for each in explained()] == list(Method)
    for language in ("en", "fr"):
        text = words(read(language=language))
        with override(language):
            labels = [str(badge.label) for badge in BADGES.values()]
        assert all(label in text for label in labels)


def test_factors_and_accelerators_stand_on_the_page() -> None:
    english, french = words(read()), words(read(language="fr"))

    for factors in SHIPPED.values():
        assert factors.name in english
        assert factors.source in english
    assert all(code in english for code in ACCELERATORS)
    assert "41.44 21.7 … 80" in english
    assert "41,44 21,7 … 80" in french


def test_the_numbers_can_be_taken_as_files() -> None:
    factors = file("factors/csv/", language="fr")
    accelerators = {row["code"]: row for row in file("accelerators/csv/")}
    measurements = file("measurements/csv/")

    assert [row["name"] for row in factors] == [each.name for each in SHIPPED.values()]
    assert int(factors[0]["gwp_high_mg_per_kwh"]) == FRANCE.gwp_high_mg_per_kwh
    assert factors[0]["valid_from"] == FRANCE.valid_from.isoformat()
    assert float(accelerators["L40S"]["k_w"]) == ACCELERATORS["L40S"].k_w
    assert (accelerators["H100"]["fitted"], accelerators["L40S"]["fitted"]) == ("1", "0")
    assert [float(row["measured_j_per_token"]) for row in measurements] == [
        point.joules_per_token for point in MEASURED
    ]


@pytest.mark.parametrize(
    "address", ["/impact/", "/impact/csv/", "/impact/factors/csv/", "/impact/measurements/csv/"]
)
def test_the_page_is_only_read(address: str) -> None:
    assert Client().post(address).status_code == 405


def test_a_visitor_reads_it_without_a_query() -> None:
    assert queries_of(Client(), "/impact/") == 0


def test_a_models_page_and_every_footer_lead_there(cast: Cast, at_rennes: Deployment) -> None:
    model = AIModel.objects.get()

    html = signed_in_as(cast.rennes_user).get(f"/catalogue/{model.slug}/").content.decode()

    assert html.count('href="/impact/"') == 2
    assert 'href="/impact/"' in Client().get("/doctor/").content.decode()
