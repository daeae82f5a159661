"""What answers took of the planet, on pages and in files: the same figures everywhere, ranges and gaps told."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.http import StreamingHttpResponse
from django.urls import reverse

from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment
from routing.core.accounting import Energy
from tests.integration.dashboards.test_exports import whole
from tests.support.calls import store_calls
from tests.support.factories import Cast, make_application, make_key, serve_model
from tests.support.pages import signed_in_as

TEN_WH = Energy(
    method="model",
    version=1,
    mj=36_000_000,
    low_mj=18_000_000,
    high_mj=72_000_000,
    gpu_ms=1000,
    batch_milli=8000,
    pue_milli=1200,
    factors="FRA-1",
)
NO_FIGURE = Energy(method="none", factors="FRA-1")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    caches["memory"].clear()


@pytest.fixture
def issued(cast: Cast) -> tuple[ApiKey, str]:
    """A key of the user in Orléans, and its text."""
    return make_key(make_application(cast.orleans, cast.orleans_user, "carnet"))


def page_of(cast: Cast, address: str) -> str:
    answer = signed_in_as(cast.orleans_user).get(address, headers={"accept-language": "en"})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def lines(cast: Cast, address: str) -> list[dict[str, str]]:
    answer = signed_in_as(cast.orleans_user).get(address, headers={"accept-language": "en"})
    assert isinstance(answer, StreamingHttpResponse)
    text = async_to_sync(whole)(answer)
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"))))


def test_page_files_and_interface_tell_the_same_sum(
    cast: Cast, issued: tuple[ApiKey, str], at_rennes: Deployment
) -> None:
    key, text = issued
    store_calls(key, at_rennes, count=3, energy=TEN_WH)
    store_calls(key, at_rennes, energy=NO_FIGURE)

    page = page_of(cast, "/usage/")
    assert "30 Wh" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "from 15 Wh to 60 Wh" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "1 answer has no figure" in page
    requests = lines(cast, "/usage/csv/")
    assert sum(float(line["energy_wh"]) for line in requests if line["energy_wh"]) == 30
    assert [line["energy_wh"] for line in requests].count("") == 1
    (of_model,) = lines(cast, "/usage/impact/csv/")
    assert (of_model["energy_low_wh"], of_model["energy_wh"]) == ("15.0", "30.0")
    assert of_model["answers_without_a_figure"] == "1"
    summed_co2e = sum(float(line["co2e_g"]) for line in requests if line["co2e_g"])
    assert float(of_model["co2e_g"]) == pytest.approx(summed_co2e, rel=1e-4)
    asked = signed_in_as(cast.intruder).get(
        "/manage/api/usage", headers={"authorization": f"Bearer {text}"}
    )
    told = json.loads(asked.content)["impact"]
    assert told["energy_wh"] == {"low": 15.0, "central": 30.0, "high": 60.0}
    assert told["co2e_g"]["central"] == pytest.approx(float(of_model["co2e_g"]), rel=1e-3)
    assert told["answers_without_a_figure"] == 1


def test_a_request_says_what_it_was_reckoned_with(
    cast: Cast, issued: tuple[ApiKey, str], at_rennes: Deployment
) -> None:
    known, unknown = (
        store_calls(issued[0], at_rennes, energy=energy)[0].opened.id for energy in (TEN_WH, None)
    )

    page = page_of(cast, f"/usage/requests/{known}/")
    assert "8.0 requests at a time" in page
    assert "a PUE of 1.2, the factors FRA-1 and version 1" in page
    assert "modelled" in page
    assert "That is not zero" in page_of(cast, f"/usage/requests/{unknown}/")


def test_a_lighter_model_is_named_where_there_is_one(
    cast: Cast, issued: tuple[ApiKey, str], at_rennes: Deployment
) -> None:
    light = serve_model(cast.reims, "llama-3.1-8b")
    tokens: dict[str, Any] = {"prompt_tokens": 60_000, "completion_tokens": 60_000}
    tenth = Energy(method="model", mj=3_600_000, low_mj=0, high_mj=9_000_000, factors="FRA-1")
    store_calls(issued[0], at_rennes, energy=TEN_WH, **tokens)
    assert "times less energy" not in page_of(cast, "/usage/")  # nothing to compare with
    store_calls(issued[0], light, energy=tenth, **tokens)
    caches["memory"].clear()  # ten minutes later

    assert "takes 10 times less energy" in page_of(cast, "/usage/")
    heavy_card = page_of(cast, reverse("model", args=[at_rennes.version.model.slug]))
    assert "10 times less" in heavy_card
    assert "times less" not in page_of(cast, reverse("model", args=["llama-3.1-8b"]))

    AIModel.objects.filter(pk=light.version.model_id).update(category="speech")
    assert "times less energy" not in page_of(cast, "/usage/")
