"""Names that leave: every answer says so beforehand, and a refusal afterwards says where to go."""

import time
from collections.abc import AsyncGenerator
from email.utils import formatdate
from pathlib import Path

import msgspec
import pytest

from routing.core.enums import LifecycleStage
from routing.core.table import End
from routing.simulator import Simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN
from tests.support.router import (
    KEY,
    MODEL,
    RENNES_KEY,
    Router,
    a_model,
    a_principal,
    a_server,
    an_id,
    chat,
    names,
    principals,
    running_router,
    servers,
)

ANNOUNCED = 1_764_000_000
PORTAL = "https://ilaas.example"
PAGE = "https://chat.example"
AHEAD, PAST = int(time.time()) + 86_400, 1_764_543_600  # the second is 1 December 2025 in Paris
END = End(announced_at=ANNOUNCED, at=AHEAD, successor="llama-3.3-70b")


@pytest.fixture
async def leaving(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    """A deprecated model, one on trial for Rennes's key, names of both kinds that end or are gone."""
    models = names(
        a_model(*NAMES, served_name=SERVED, stage=LifecycleStage.DEPRECATED, end=END),
        a_model(*NAMES, served_name=SERVED, name="kept"),
        a_model(*NAMES, served_name=SERVED, name="tried", stage=LifecycleStage.STAGING),
        soon="kept",
        over="kept",
        other=MODEL,
    )
    ends = {
        "soon": End(announced_at=ANNOUNCED, at=AHEAD, successor="tried"),
        "over": End(announced_at=ANNOUNCED, at=PAST, successor="kept", of_alias=True),
    }
    gone = {"mixtral-8x7b": End(at=PAST, successor="kept"), "ancient": End()}
    section = msgspec.structs.replace(
        models, names=msgspec.structs.replace(models.names, ends=ends, gone=gone)
    )
    keys = {
        KEY: a_principal(origins=(PAGE,)),
        RENNES_KEY: a_principal("rennes", trials=(an_id("tried"),)),
    }
    upstreams = servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES))
    async with running_router(
        tmp_path, principals(**keys), section, upstreams, public_url=PORTAL
    ) as running:
        yield running


@pytest.mark.parametrize("name", [MODEL, MODEL.upper(), "other"])
@pytest.mark.parametrize("stream", [False, True])
async def test_every_answer_of_a_deprecated_model_says_when_it_ends(
    leaving: Router, name: str, stream: bool
) -> None:
    answer = await leaving.post(json=chat(model=name, stream=stream))

    assert answer.status_code == 200
    assert answer.headers["deprecation"] == f"@{ANNOUNCED}"
    assert answer.headers["sunset"] == formatdate(AHEAD, usegmt=True)
    assert answer.headers["link"] == (
        f'<{PORTAL}/catalogue/{MODEL}/>; rel="deprecation", '
        f'<{PORTAL}/catalogue/llama-3.3-70b/>; rel="successor-version"'
    )


async def test_an_error_says_it_too_and_a_page_may_read_it(leaving: Router) -> None:
    wrong = chat(model=MODEL) | {"routing-mode": "private-only"}
    answer = await leaving.post(json=wrong, headers={"origin": PAGE})

    assert answer.status_code == 400
    exposed = answer.headers["access-control-expose-headers"]
    assert {"deprecation", "sunset", "link"} <= set(exposed.split(", "))


async def test_a_model_that_stays_says_nothing(leaving: Router) -> None:
    answer = await leaving.post(json=chat(model="kept"))

    assert answer.status_code == 200
    assert not {"deprecation", "sunset", "link"} & set(answer.headers)


async def test_an_alias_says_its_own_end_and_is_refused_from_that_moment_on(
    leaving: Router,
) -> None:
    soon = await leaving.post(json=chat(model="Soon"))
    over = await leaving.post(json=chat(model="over"))

    assert soon.status_code == 200
    assert soon.headers["sunset"] == formatdate(AHEAD, usegmt=True)
    assert over.status_code == 404
    assert over.json()["error"]["code"] == "model_not_found"
    assert over.json()["error"]["message"] == (
        "The name `over` was retired on 2025-12-01; use `kept` instead"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mixtral-8x7B", "The model `Mixtral-8x7B` was retired on 2025-12-01; use `kept` instead"),
        ("ancient", "The model `ancient` was retired"),
        ("nobody", "Unknown model `nobody`; GET /v1/models lists those of this key"),
    ],
)
async def test_who_asks_for_a_retired_name_is_told_the_day_and_the_successor(
    leaving: Router, name: str, message: str
) -> None:
    asked = await leaving.post(json=chat(model=name))
    looked_up = await leaving.get(f"/v1/models/{name}")

    for answer in (asked, looked_up):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == message


async def test_the_list_tells_what_ends_and_one_model_says_it_in_headers_too(
    leaving: Router,
) -> None:
    listed = {each["id"]: each for each in (await leaving.get("/v1/models")).json()["data"]}
    one = await leaving.get(f"/v1/models/{MODEL}")

    told = {"deprecated_at": ANNOUNCED, "sunset": AHEAD, "successor": "llama-3.3-70b"}
    assert told.items() <= listed[MODEL].items()
    assert told.items() <= one.json().items()
    assert one.headers["deprecation"] == f"@{ANNOUNCED}"
    assert not told.keys() & listed["kept"].keys()


async def test_a_model_on_trial_is_for_the_keys_named_for_it_besides_all_others(
    leaving: Router,
) -> None:
    named = await leaving.post(json=chat(model="tried"), key=RENNES_KEY)
    usual = await leaving.post(json=chat(model="kept"), key=RENNES_KEY)
    other = await leaving.post(json=chat(model="tried"))
    lists = [
        {each["id"] for each in (await leaving.get("/v1/models", key=key)).json()["data"]}
        for key in (RENNES_KEY, KEY)
    ]

    assert (named.status_code, usual.status_code, other.status_code) == (200, 200, 403)
    assert lists == [{MODEL, "kept", "tried"}, {MODEL, "kept"}]
