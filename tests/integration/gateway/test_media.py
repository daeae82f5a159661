"""Sound that is heard and images that are made, through the router: what of them is written down, and reserved."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from routing.core.enums import BudgetScope, BudgetUnit, RequestStatus, UsageSource
from routing.core.pricing import Price, Standing, Standings
from routing.core.table import Budget
from routing.simulator import Fault, Simulated, simulated
from tests.support.router import (
    Router,
    a_model,
    a_server,
    an_id,
    names,
    principals,
    running_router,
    servers,
    until,
)
from tests.support.sounds import opus, wav
from tests.support.wire import Peer, serving

CONFIG = {
    "speed": 0,
    "servers": [
        {"name": "rennes-1", "engine": "vllm", "model": "whisper", "kind": "speech"},
        {"name": "reims-1", "engine": "litellm", "model": "flux", "kind": "images"},
    ],
}
SPEECH = "/v1/audio/transcriptions"
IMAGES = "/v1/images/generations"
PRICE = Price(audio_second=100_000, image=20_000_000)


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    async with simulated(CONFIG) as running:
        yield running


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    async with running_router(
        tmp_path,
        principals(),
        names(
            a_model("rennes-1", name="whisper", price=PRICE),
            a_model("reims-1", name="flux", price=PRICE),
        ),
        servers(*(a_server(name, upstream.url(name)) for name in ("rennes-1", "reims-1"))),
    ) as running:
        yield running


async def hear(router: Router, sound: bytes, path: str = SPEECH, **fields: str) -> Any:
    return await router.post(
        path, data={"model": "whisper", **fields}, files={"file": ("a", sound, "audio/wav")}
    )


@pytest.mark.parametrize("path", [SPEECH, "/v1/audio/translations"])
async def test_sound_is_written_down_as_the_server_reports_it(router: Router, path: str) -> None:
    answer = await hear(router, wav(2_300), path)

    assert answer.status_code == 200
    assert answer.json()["text"]
    closed = await router.only_closed()
    assert (closed.status, closed.usage_source) == (RequestStatus.OK, UsageSource.SERVER)
    assert (closed.audio_ms, closed.images, closed.prompt_tokens) == (3_000, 0, 0)


async def test_where_the_server_says_nothing_its_file_does(
    router: Router, upstream: Simulated
) -> None:
    assert (await hear(router, wav(2_300), response_format="text")).status_code == 200
    await upstream.set_fault("rennes-1", Fault(kind="no_usage"))
    assert (await hear(router, wav(1_250))).status_code == 200

    assert [(end.audio_ms, end.usage_source) for end in router.closed()] == [
        (2_300, UsageSource.COUNTED),
        (1_250, UsageSource.COUNTED),
    ]


async def test_what_a_server_refuses_to_hear_counts_nothing(router: Router) -> None:
    answer = await hear(router, opus(60_000))

    assert answer.status_code == 400
    closed = await router.only_closed()
    assert (closed.status, closed.audio_ms) == (RequestStatus.CLIENT_ERROR, 0)


async def test_images_are_written_down_as_they_are_made(router: Router) -> None:
    answer = await router.post(IMAGES, json={"model": "flux", "prompt": "un phare", "n": 3})

    assert len(answer.json()["data"]) == 3
    closed = await router.only_closed()
    assert (closed.images, closed.usage_source) == (3, UsageSource.COUNTED)
    assert (closed.audio_ms, closed.completion_tokens) == (0, 0)


def _images(count: int, size: int) -> bytes:
    body = json.dumps({"data": [{"b64_json": "A" * size}] * count}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


async def test_images_too_large_to_be_held_are_counted_as_they_pass(tmp_path: Path) -> None:
    async def answer(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(_images(4, 3_000_000))

    async with (
        serving(answer) as server,
        running_router(
            tmp_path,
            principals(),
            names(a_model("reims-1", name="flux")),
            servers(a_server("reims-1", f"http://127.0.0.1:{server.port}")),
        ) as router,
    ):
        got = await router.post(IMAGES, json={"model": "flux", "prompt": "un phare", "n": 4})

        assert len(got.json()["data"]) == 4
        closed = await router.only_closed()
        assert (closed.images, closed.usage_source) == (4, UsageSource.COUNTED)


def budgeted(router: Router, most: int) -> Any:
    """Give the application of Orléans so many nano-euros; return its purse."""
    budget = Budget(
        id="b", scope=BudgetScope.APPLICATION, unit=BudgetUnit.NANO_EUROS, name="Orléans"
    )
    owner = {an_id("application of orleans"): (budget,)}
    router.gateway.apply(msgspec.structs.replace(principals(), budgets=owner))
    standing = Standing(budget_id="b", spent=0, granted=most, limit=most)
    router.gateway.hear_of_budgets(Standings(router.gateway.incarnation, (0, 0), (standing,)))
    (purse,) = router.gateway.dispatcher._decider.budgets._purses.values()
    return purse


@pytest.mark.parametrize(
    ("sound", "seconds", "audio_ms"),
    [(wav(2_300), 3, 2_300), (bytes(60_000), 120, 0)],
    ids=["that says how long it is", "that may be as long as its size allows"],
)
async def test_a_budget_reserves_a_recording(
    router: Router, upstream: Simulated, sound: bytes, seconds: int, audio_ms: int
) -> None:
    purse = budgeted(router, 10**9)
    await upstream.set_fault("rennes-1", Fault(kind="hang"))

    asking = asyncio.create_task(hear(router, sound))
    await until(lambda: purse.reserved)
    assert purse.reserved == seconds * PRICE.audio_second
    await until(lambda: router.gateway.dispatcher.load().servers[an_id("rennes-1")].in_flight)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await router.idle()

    assert (purse.reserved, purse.used) == (0, 0)
    closed = await router.only_closed()
    assert (closed.status, closed.audio_ms) == (RequestStatus.ABANDONED, audio_ms)


async def test_a_budget_counts_what_was_heard_and_made(router: Router) -> None:
    purse = budgeted(router, 10**9)

    await hear(router, wav(2_300))
    await router.post(IMAGES, json={"model": "flux", "prompt": "un phare", "n": 2})
    await router.idle()

    assert (purse.reserved, purse.used) == (0, 3 * PRICE.audio_second + 2 * PRICE.image)
