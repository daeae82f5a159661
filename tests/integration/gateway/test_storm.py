"""Many clients at once, leaving at will, over servers that fail: afterwards nothing is held and nothing lost."""

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from routing.core.enums import RequestStatus
from routing.simulator import Fault, Simulated, simulated
from tests.support.router import (
    KEY,
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

CLIENTS = 120
NAMES = ("rennes-1", "reims-1", "reims-2")


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    config = {
        "servers": [
            {"name": name, "engine": "vllm", "model": "m", "seconds_per_token": 0.002}
            for name in NAMES
        ]
    }
    async with simulated(config) as running:
        yield running


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name="m")),
        servers(*(a_server(name, upstream.url(name), max_parallel=6) for name in NAMES)),
        probes=True,
    ) as running:
        yield running


async def one(client: httpx.AsyncClient, chance: random.Random) -> int | None:
    """Ask something; return the status, None for a client that has left."""
    stream = chance.random() < 0.7
    patience = chance.choice([None, None, 0.005, 0.05, 0.2])
    body = chat(stream=stream, max_tokens=30, min_tokens=chance.choice([1, 30]))
    try:
        async with asyncio.timeout(patience):
            answer = await client.post("/v1/chat/completions", json=body)
            return answer.status_code
    except TimeoutError:
        return None


async def test_after_a_storm_nothing_is_held_and_every_request_has_its_record(
    router: Router, upstream: Simulated
) -> None:
    chance = random.Random(7)
    await upstream.set_fault("reims-2", Fault(kind="reset", after_bytes=300, times=20))
    async with router.client(limits=httpx.Limits(max_connections=CLIENTS)) as client:
        tasks = [asyncio.create_task(one(client, chance)) for _ in range(CLIENTS)]
        await asyncio.sleep(0.1)
        await upstream.set_fault("rennes-1", Fault(kind="refuse", seconds=0.2))
        statuses = await asyncio.gather(*tasks)

    await router.idle()
    assert set(statuses) <= {200, None}
    opened = {record.id for record in router.opened()}
    await until(lambda: len(router.closed()) == len(opened))
    closed = router.closed()
    assert {record.opened.id for record in closed} == opened
    assert len(opened) <= CLIENTS
    answered = [record for record in closed if record.status is RequestStatus.OK]
    assert len(answered) >= sum(status == 200 for status in statuses) - interrupted(router)
    assert not router.gateway.journeys
    load = router.gateway.dispatcher.load()
    assert {model.waiting for model in load.models.values()} == {0}


def interrupted(router: Router) -> int:
    """Return how many streams broke after their first byte: their clients saw a 200 and an error event."""
    return sum(record.status is RequestStatus.SERVER_ERROR for record in router.closed())


async def test_requests_sent_in_one_go_are_answered_in_turn(router: Router) -> None:
    request = f"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n".encode()
    async with router.bare(
        (request + b"\r\n") * 3 + request + b"connection: close\r\n\r\n"
    ) as client:
        answer = await client.rest()

    assert answer.count(b"HTTP/1.1 200 OK") == 4
    await router.idle()


async def test_rubbish_behind_a_request_ends_it_without_a_word_in_its_answer(
    router: Router,
) -> None:
    body = b'{"model":"gpt-oss-120b","messages":[{"role":"user","content":"a"}],"stream":true,'
    body += b'"max_tokens":5000,"min_tokens":5000}'
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    async with router.bare(request.encode() + body) as client:
        await client.until(b"data: ")
        client.writer.write(b"\x00rubbish\r\n\r\n")
        rest = await client.rest()

    assert b"bad_request" not in rest
    assert (await router.only_closed()).status is RequestStatus.ABANDONED
    await router.idle()
