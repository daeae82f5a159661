"""Servers that come back, and servers whose own metrics cannot be believed: used again soon, never starved."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from routing.core import health
from routing.core.enums import Limiting, Strategy
from routing.core.learning import START, START_WITH_GAUGES
from routing.gateway import signals
from routing.simulator import Fault, Simulated, simulated
from tests.integration.gateway.conftest import SERVED
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
from tests.support.wire import Peer, serving

NAME = "rennes-1"
MEASURE_SECONDS = 0.02
BROKEN: tuple[Fault, ...] = (
    Fault(kind="garbage", path="/metrics"),
    Fault(kind="hang", path="/metrics"),
    Fault(kind="status", status=404, path="/metrics"),
    Fault(kind="html", path="/metrics"),
    Fault(kind="empty", path="/metrics"),
    Fault(kind="redirect", path="/metrics"),
    Fault(kind="reset", after_bytes=200, path="/metrics"),
)
LIES = (
    "vllm:num_requests_running 1e9\nvllm:num_requests_waiting 1e9\n",
    "vllm:num_requests_running 0\nvllm:num_requests_waiting 7\nvllm:kv_cache_usage_perc 1.0\n",
    "vllm:num_requests_running NaN\nvllm:num_requests_waiting -3\n",
    'vllm:num_requests_running 1\nvllm:cache_config_info{num_gpu_blocks="1",block_size="1"} 1\n',
)
LIMITED: tuple[dict[str, Any], ...] = (
    {"strategy": Strategy.AFFINITY, "limiting": Limiting.LEARNT},
    {"strategy": Strategy.LEAST_BUSY, "limiting": Limiting.STATISTICS},
)


@asynccontextmanager
async def a_house(
    var: Path, url: str, *, max_parallel: int | None = None, **model: Any
) -> AsyncGenerator[Router]:
    async with running_router(
        var,
        principals(),
        names(a_model(NAME, served_name=SERVED, **model)),
        servers(a_server(NAME, url, max_parallel=max_parallel)),
        probes=True,
        measure_seconds=MEASURE_SECONDS,
    ) as router:
        yield router


@pytest.fixture
async def slow() -> AsyncGenerator[Simulated]:
    config = {
        "servers": [{"name": NAME, "engine": "vllm", "model": SERVED, "seconds_per_token": 0.005}]
    }
    async with simulated(config) as running:
        yield running


def state(router: Router) -> str:
    return router.gateway.dispatcher.load().servers[an_id(NAME)].health


async def test_a_server_that_is_back_is_found_by_a_probe_and_filled_slowly(
    tmp_path: Path, slow: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(health, "SLOW_STEP", 60.0)
    async with a_house(tmp_path, slow.url(NAME)) as router:
        await slow.set_fault(NAME, Fault(kind="refuse"))
        await until(lambda: state(router) == "ejected")
        await slow.set_fault(NAME, Fault(kind="none"))
        await until(lambda: state(router) == "healthy")

        most = 0
        body = chat(max_tokens=40, min_tokens=40)
        asking = [asyncio.create_task(router.post(json=body)) for _ in range(8)]
        while not all(task.done() for task in asking):
            load = router.gateway.dispatcher.load().servers[an_id(NAME)]
            most = max(most, load.in_flight)
            await asyncio.sleep(0.005)

    assert {task.result().status_code for task in asking} == {200}
    assert most == health.SLOW_START


@pytest.mark.parametrize("fault", BROKEN, ids=[f"{n} {f.kind}" for n, f in enumerate(BROKEN)])
async def test_a_server_whose_metrics_are_broken_is_a_full_citizen(
    tmp_path: Path, slow: Simulated, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(signals, "FETCH_SECONDS", 0.1)
    await slow.set_fault(NAME, fault)
    async with a_house(tmp_path, slow.url(NAME), **LIMITED[0]) as router:
        asking = [asyncio.create_task(router.post(json=chat())) for _ in range(12)]

        statuses = {(await task).status_code for task in asking}
        load = router.gateway.dispatcher.load().servers[an_id(NAME)]

    assert statuses == {200}
    assert (load.health, load.failures) == ("healthy", 0)


async def test_metrics_that_can_be_read_are_believed_from_the_first(
    tmp_path: Path, slow: Simulated
) -> None:
    async with a_house(tmp_path, slow.url(NAME), **LIMITED[0]) as router:
        decider = router.gateway.dispatcher._decider
        host = decider._fleet.hosts[an_id(NAME)]
        assert host.limit.value == START
        await until(lambda: host.limit.value == START_WITH_GAUGES)


def telling(metrics: str) -> Any:
    """Return a script of a server with these metrics, which answers all else well."""
    lists = msgspec.json.encode({"object": "list", "data": [{"id": SERVED}]})
    said = msgspec.json.encode(
        {"model": SERVED, "choices": [{"message": {"content": "mot"}}], "usage": {}}
    )

    def whole(body: bytes, kind: bytes = b"application/json") -> bytes:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
        return head % (kind, len(body)) + body

    async def script(peer: Peer) -> None:
        while (request := await peer.request()) is not None:
            if b" /metrics " in request.line:
                await peer.send(whole(metrics.encode(), b"text/plain"))
            else:
                await peer.send(whole(lists if request.line.startswith(b"GET") else said))

    return script


@pytest.mark.parametrize("limited", LIMITED, ids=["learnt", "statistics"])
@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
async def test_a_server_that_says_it_is_full_for_ever_still_gets_one_request_at_a_time(
    tmp_path: Path, lie: str, limited: dict[str, Any]
) -> None:
    async with (
        serving(telling(lie)) as wire,
        a_house(tmp_path, f"http://127.0.0.1:{wire.port}", **limited) as router,
    ):
        await until(lambda: any(b" /metrics " in each.line for each in wire.requests))
        asking = [asyncio.create_task(router.post(json=chat())) for _ in range(5)]

        assert {(await task).status_code for task in asking} == {200}
        assert MODEL in (await asking[0]).text
        await router.idle()
