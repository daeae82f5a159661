"""The register changes while requests wait and run: each goes by the table in force when its server is asked."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from routing.core.retry import Failure
from routing.core.table import Section
from routing.dispatch.messages import Grant
from routing.gateway.verdicts import Failed
from routing.simulator import Simulated, simulated
from tests.support.decisions import an_explanation
from tests.support.router import (
    MODEL,
    Router,
    a_model,
    a_server,
    an_id,
    chat,
    names,
    principals,
    running_router,
    servers,
    until,
)

WAITING = 5


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    config = {
        "record": True,
        "servers": [
            {"name": name, "engine": "vllm", "model": MODEL, "seconds_per_token": 0.01}
            for name in ("rennes-1", "reims-1")
        ],
    }
    async with simulated(config) as running:
        yield running


def register(upstream: Simulated, *registered: str) -> tuple[Section, ...]:
    rows = [a_server(name, upstream.url(name), max_parallel=1) for name in registered]
    return names(a_model(*registered)), servers(*rows)


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    first = register(upstream, "rennes-1")
    async with running_router(tmp_path, principals(), *first) as running:
        yield running


def waiting(router: Router) -> int:
    return router.gateway.waiting(an_id(MODEL))


async def test_a_server_that_is_added_serves_those_who_wait(
    router: Router, upstream: Simulated
) -> None:
    body = chat(max_tokens=30, min_tokens=30)
    clients = [asyncio.create_task(router.post(json=body)) for _ in range(1 + WAITING)]
    await until(lambda: waiting(router) == WAITING)

    for section in reversed(register(upstream, "rennes-1", "reims-1")):
        router.gateway.apply(section)

    assert {answer.status_code for answer in await asyncio.gather(*clients)} == {200}
    assert {attempt.outcome for each in router.closed() for attempt in each.attempts} == {"ok"}
    load = router.gateway.dispatcher.load()
    assert {server.health for server in load.servers.values()} == {"healthy"}
    assert upstream.requests("reims-1")
    await router.idle()


async def test_who_waits_for_a_model_that_goes_is_told_so(
    router: Router, upstream: Simulated
) -> None:
    body = chat(max_tokens=30, min_tokens=30)
    running = asyncio.create_task(router.post(json=body))
    await until(lambda: upstream.requests("rennes-1"))
    waits = asyncio.create_task(router.post(json=body))
    await until(lambda: waiting(router) == 1)

    router.gateway.apply(names())

    assert (await waits).json()["error"]["code"] == "no_server"
    assert (await running).status_code == 200
    await router.idle()


async def test_a_server_that_went_before_it_was_asked_is_not_blamed(
    router: Router, upstream: Simulated
) -> None:
    grant = Grant(
        id="t1",
        attempt=1,
        server_id=an_id("rennes-1"),
        deployment_id=an_id("of another time"),
        epoch=1,
        explain=an_explanation(),
    )

    with pytest.raises(Failed) as failed:
        router.gateway.target(an_id(MODEL), grant)

    assert failed.value.failure is Failure.GONE
    assert failed.value.error.code == "no_server"
