"""What an answer took: reckoned for the accounts, and told to a client that asks."""

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from routing.core.accounting import Energy
from routing.core.table import Machine
from routing.simulator import Simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN
from tests.integration.gateway.test_protocols import ASKED
from tests.support.router import (
    KEY,
    MODEL,
    Router,
    a_model,
    a_principal,
    a_server,
    an_id,
    chat,
    events,
    names,
    principals,
    running_router,
    servers,
)
from tests.support.wire import Peer, serving

LLAMA_70B = Machine(
    params=70.6, active=70.6, bits=16, gpu="H100", gpus=4, pue_milli=1200, factors="FRA-1"
)
ASK = {"x-ilaas-impact": "1"}


def measuring_router(
    tmp_path: Path, upstream: Simulated, *, tells: tuple[str, ...] = ()
) -> AbstractAsyncContextManager[Router]:
    """A router whose servers' machines are known, and which has one key."""
    return running_router(
        tmp_path,
        principals(**{KEY: a_principal(tells=tells)}),
        names(a_model(*NAMES, served_name=SERVED, name=MODEL, machine=LLAMA_70B)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
    )


@pytest.fixture
async def measured(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    async with measuring_router(tmp_path, upstream) as running:
        yield running


@pytest.fixture
async def telling(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    """The same, with a key that is set to be told."""
    async with measuring_router(tmp_path, upstream, tells=("carbon",)) as running:
        yield running


def usage_in(text: str, *, stream: bool) -> dict[str, Any]:
    """Return the last usage of an answer in any protocol."""
    found = []
    for value in (
        [json.loads(each) for each in events(text) if each != "[DONE]"]
        if stream
        else [json.loads(text)]
    ):
        for holder in (value, value.get("response") or {}):
            if isinstance(holder, dict) and holder.get("usage"):
                found.append(holder["usage"])
    usage: dict[str, Any] = found[-1]
    return usage


def assert_same(told: dict[str, Any], kept: Energy | None) -> None:
    """Assert that a client was told what the accounts keep."""
    assert kept is not None
    assert told["method"] == kept.method
    assert told["energy_wh"]["central"] == pytest.approx(kept.mj / 3_600_000, rel=1e-3)
    assert told["energy_wh"]["low"] == pytest.approx(kept.low_mj / 3_600_000, rel=1e-3)
    assert told["pue"] == kept.pue_milli / 1000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("endpoint", list(ASKED))
async def test_who_asks_is_told_what_the_accounts_keep(
    measured: Router, endpoint: str, stream: bool
) -> None:
    body = {"model": MODEL, "stream": stream} | ASKED[endpoint]

    answer = await measured.post(f"/v1/{endpoint}", json=body, headers=ASK)

    usage = usage_in(answer.text, stream=stream)
    closed = await measured.only_closed()
    assert_same(usage["impact"], closed.energy)
    assert "carbon" not in usage
    assert closed.completion_tokens == 5  # the count is none the worse for what stands beside it
    assert usage["impact"]["co2e_g"]["embodied"]["central"] > 0
    if not stream:
        assert json.loads(answer.headers["x-ilaas-impact"]) == {"impact": usage["impact"]}


async def test_who_does_not_ask_is_told_nothing_and_it_is_accounted_all_the_same(
    measured: Router,
) -> None:
    answer = await measured.post(json=chat())

    assert "impact" not in answer.text
    assert "x-ilaas-impact" not in answer.headers
    closed = await measured.only_closed()
    assert closed.energy is not None
    assert closed.energy.method == "extrapolated"  # one request at a time: fewer than were measured
    assert 0 < closed.energy.low_mj < closed.energy.mj < closed.energy.high_mj
    assert (closed.energy.batch_milli, closed.energy.factors) == (1000, "FRA-1")
    assert closed.energy.gpu_ms > 0


async def test_the_carbon_of_another_gateway_is_told_in_its_shape(measured: Router) -> None:
    answer = await measured.post(json=chat(), headers={"x-ilaas-impact": "carbon, impact"})

    usage = answer.json()["usage"]
    assert set(usage["carbon"]) == {"kWh", "kgCO2eq"}
    assert 0 < usage["carbon"]["kWh"]["min"] < usage["carbon"]["kWh"]["max"]
    assert usage["impact"]["energy_wh"]["low"] == pytest.approx(
        usage["carbon"]["kWh"]["min"] * 1000, rel=1e-3
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_key_that_is_set_so_is_told_without_a_header(telling: Router, stream: bool) -> None:
    answer = await telling.post(json=chat(stream=stream))

    usage = usage_in(answer.text, stream=stream)
    assert 0 < usage["carbon"]["kgCO2eq"]["min"] < usage["carbon"]["kgCO2eq"]["max"]
    assert "impact" not in usage
    closed = await telling.only_closed()
    assert closed.energy is not None
    assert usage["carbon"]["kWh"]["min"] == pytest.approx(
        closed.energy.low_mj / 3_600_000_000, rel=1e-3
    )


async def test_a_header_adds_to_what_a_key_is_told(telling: Router) -> None:
    answer = await telling.post(json=chat(), headers=ASK)

    assert {"impact", "carbon"} <= answer.json()["usage"].keys()


async def test_a_machine_that_is_not_known_has_no_figure_which_is_not_zero(router: Router) -> None:
    answer = await router.post(json=chat(), headers={"x-ilaas-impact": "impact,carbon"})

    assert answer.json()["usage"]["impact"] == {"method": "none"}
    assert "carbon" not in answer.json()["usage"]
    closed = await router.only_closed()
    assert closed.energy is not None
    assert closed.energy.method == "none"


async def test_a_request_that_nobody_answered_took_nothing(
    measured: Router, upstream: Simulated
) -> None:
    answer = await measured.post(json={"model": MODEL, "messages": "no list"}, headers=ASK)

    assert answer.status_code == 400
    assert (await measured.only_closed()).energy is None


@pytest.mark.parametrize("wish", ["0", "no", "\u00e9", "impacts", "x" * 4000])
async def test_odd_wishes_are_no_wishes(measured: Router, wish: str) -> None:
    answer = await measured.post(json=chat(), headers={"x-ilaas-impact": wish.encode()})

    assert answer.status_code == 200
    assert "impact" not in answer.json()["usage"]


async def test_what_one_server_took_is_never_told_of_the_next_that_says_as_much(
    tmp_path: Path,
) -> None:
    """The first answers as another model, with all of its stream at once; the second counts the same tokens."""
    asked = 0

    async def script(peer: Peer) -> None:
        nonlocal asked
        while await peer.request() is not None:
            asked += 1
            await peer.send(a_stream("another" if asked == 1 else SERVED))

    model = a_model(*NAMES, served_name=SERVED, machine=LLAMA_70B)
    known, unknown = model.deployments
    model = replace(model, deployments=(known, replace(unknown, machine=Machine())))
    async with (
        serving(script) as wire,
        running_router(
            tmp_path,
            principals(),
            names(model, a_model("reims-2", name="another")),
            servers(*(a_server(name, f"http://127.0.0.1:{wire.port}") for name in NAMES)),
        ) as router,
    ):
        answer = await router.post(json=chat(stream=True), headers=ASK)
        closed = await router.only_closed()

    assert answer.status_code == 200
    assert [each.outcome for each in closed.attempts] == ["bad_answer", "ok"]
    assert closed.energy is not None
    assert (closed.energy.method == "none") is (closed.server_id == an_id(NAMES[1]))


def a_stream(model: str) -> bytes:
    """Return a whole answer over HTTP, of three tokens."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": "bonjour"}}]},
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}},
    ]
    told = [json.dumps({"id": "1", "model": model, **each}) for each in chunks]
    body = "".join(f"data: {each}\n\n" for each in (*told, "[DONE]")).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize(("scope", "factor"), [("gpu", 0.5), ("server", 2.0)])
async def test_a_calibrated_machine_is_told_so_and_the_work_is_weighed_as_before(
    tmp_path: Path, upstream: Simulated, scope: str, factor: float
) -> None:
    machine = replace(LLAMA_70B, calibration=factor, calibrated_scope=scope)
    told = []
    for each in (LLAMA_70B, machine):
        async with running_router(
            tmp_path / f"{each.calibration}",
            principals(),
            names(a_model(*NAMES, served_name=SERVED, name=MODEL, machine=each)),
            servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
        ) as router:
            answer = await router.post(json=chat(), headers=ASK)
            closed = await router.only_closed()
            assert_same(answer.json()["usage"]["impact"], closed.energy)
            assert closed.energy is not None
            told.append(closed.energy)

    plain, calibrated = told
    assert calibrated.method == "calibrated"
    assert calibrated.mj == pytest.approx(plain.mj * factor, rel=1e-3)
    assert calibrated.gpu_mj == plain.gpu_mj
    assert calibrated.high_mj / calibrated.mj < plain.high_mj / plain.mj
