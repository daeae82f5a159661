"""A full disk stops admission, never accounting."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from routing.core.enums import RequestStatus
from routing.simulator import Simulated, simulated
from tests.support.router import (
    Router,
    a_model,
    a_server,
    chat,
    names,
    principals,
    running_router,
    servers,
    until,
)


@pytest.fixture
async def slow() -> AsyncGenerator[Simulated]:
    config = {
        "servers": [{"name": "rennes-1", "engine": "vllm", "model": "m", "seconds_per_token": 0.02}]
    }
    async with simulated(config) as running:
        yield running


@pytest.fixture
async def router(tmp_path: Path, slow: Simulated) -> AsyncGenerator[Router]:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model("rennes-1", served_name="m")),
        servers(a_server("rennes-1", slow.url("rennes-1"))),
    ) as running:
        yield running


async def refuses(router: Router) -> bool:
    return (await router.get("/health/readiness")).status_code == 503


async def becomes(router: Router, ready: bool) -> None:
    async with asyncio.timeout(20):
        while await refuses(router) is ready:
            await asyncio.sleep(0.02)


async def test_without_room_nothing_is_admitted_and_what_runs_is_accounted(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = asyncio.create_task(router.post(json=chat(stream=True, max_tokens=80, min_tokens=80)))
    await until(router.opened)
    monkeypatch.setattr(router.gateway.spool, "_measure", lambda folder: 0)
    await becomes(router, ready=False)

    refused = await router.post(json=chat())

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "accounting_unavailable"
    assert int(refused.headers["retry-after"]) > 0
    assert (await running).status_code == 200
    assert (await router.only_closed()).status is RequestStatus.OK
    monkeypatch.setattr(router.gateway.spool, "_measure", lambda folder: 10**12)
    await becomes(router, ready=True)
    assert (await router.post(json=chat())).status_code == 200


@pytest.mark.parametrize("failing", ["refused", "short"])
async def test_a_line_that_cannot_be_written_is_written_later(
    router: Router, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The disk fails under a running request: its closing line is owed, and paid once the disk is back."""
    write = os.write

    def broken(descriptor: int, data: bytes) -> int:
        if failing == "short":
            return write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    running = asyncio.create_task(router.post(json=chat(stream=True, max_tokens=40, min_tokens=40)))
    await until(router.opened)
    _patch(monkeypatch, broken)

    assert (await running).status_code == 200
    assert router.closed() == []
    assert (await router.post(json=chat())).status_code == 503
    _patch(monkeypatch, write)

    assert (await router.only_closed()).completion_tokens == 40
    await becomes(router, ready=True)


def _patch(monkeypatch: pytest.MonkeyPatch, write: Callable[[int, bytes], int]) -> None:
    """Replace `os.write` as the spool sees it."""
    monkeypatch.setattr(os, "write", write)
