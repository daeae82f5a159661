"""More clients than a real vLLM takes at once: its own queue stays empty, and who leaves frees its place.

The figures are vLLM's own gauges, read from it directly while the clients press through the product.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from statistics import quantiles

import httpx
import msgspec
import pytest

from routing.upstream.metrics import Load, read_load
from tests.real.conftest import PUBLIC_NAME
from tests.support.product import Product

CLIENTS = 64
PRESS_SECONDS = 30.0
SAMPLE_SECONDS = 0.1
SECONDS_TO_FREE = 1.0
MOST_WAITING = 1.0
LONG = 900
"""Tokens: an answer that runs until its client leaves."""
PATH = "/v1/chat/completions"


def body(tokens: int, *, stream: bool, mark: str = "") -> dict[str, object]:
    return {
        "model": PUBLIC_NAME,
        "stream": stream,
        "max_tokens": tokens,
        "min_tokens": tokens,
        "messages": [{"role": "user", "content": f"Bonjour {mark}"}],
    }


@pytest.fixture
async def client(product: Product) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=product.address,
        headers={"authorization": f"Bearer {product.demo['keys']['p3']}"},
        timeout=120,
        trust_env=False,
        limits=httpx.Limits(max_connections=None),
    ) as made:
        async with asyncio.timeout(30):
            while (await made.post(PATH, json=body(2, stream=False))).status_code != 200:
                await asyncio.sleep(0.2)  # until the model is in the router's table
        yield made


async def load_of(vllm: str, own: httpx.AsyncClient) -> Load:
    load = read_load((await own.get(f"{vllm}/metrics")).text)
    assert load is not None
    return load


@asynccontextmanager
async def sampled(vllm: str) -> AsyncGenerator[list[Load]]:
    """Read the server's gauges all the while."""
    samples: list[Load] = []

    async def sample() -> None:
        async with httpx.AsyncClient(trust_env=False) as own:
            while True:
                samples.append(await load_of(vllm, own))
                await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()


async def ask(client: httpx.AsyncClient, number: int, turn: int) -> str:
    """Return what went wrong, nothing if the answer was whole."""
    stream, tokens = number % 2 == 0, 20 + 10 * (number % 9)
    answer = await client.post(PATH, json=body(tokens, stream=stream, mark=f"{number}/{turn}"))
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.text}"
    if not stream:
        written = answer.json()["usage"]["completion_tokens"]
        return "" if written == tokens else f"{written} tokens instead of {tokens}"
    whole = answer.text.rstrip().endswith("data: [DONE]") and '"error"' not in answer.text
    return "" if whole else answer.text[-300:]


async def test_the_servers_own_queue_stays_empty_while_64_clients_press(
    vllm: str, client: httpx.AsyncClient
) -> None:
    loop = asyncio.get_running_loop()
    wrong: list[str] = []
    served = [0] * CLIENTS
    ends_at = loop.time() + PRESS_SECONDS

    async def press(number: int) -> None:
        while loop.time() < ends_at:
            wrong.append(await ask(client, number, served[number]))
            served[number] += 1

    async with sampled(vllm) as samples:
        await asyncio.gather(*(press(number) for number in range(CLIENTS)))

    queued = quantiles([load.waiting for load in samples], n=100)[94]
    running = [load.running for load in samples]
    print(  # noqa: T201 - the figures are what this test is for
        f"{sum(served)} answers, waiting p95 {queued}, at most {max(s.waiting for s in samples)}, "
        f"running {sum(running) / len(running):.1f} on average, {len(samples)} samples"
    )
    assert [each for each in wrong if each] == []
    assert min(served) > 0
    assert queued <= MOST_WAITING


async def waiting(client: httpx.AsyncClient) -> int:
    """Return how many requests wait in the router for a place at the server."""
    model = (await client.get(f"/v1/models/{PUBLIC_NAME}")).json()
    count: int = model["load"]["waiting"]
    return count


async def seconds_until(condition: Callable[[Load], bool], vllm: str) -> float:
    """Return how long it takes until the server's gauges meet a condition."""
    began = time.monotonic()
    async with httpx.AsyncClient(trust_env=False) as own, asyncio.timeout(30):
        while not condition(await load_of(vllm, own)):
            await asyncio.sleep(0.02)
    return time.monotonic() - began


@asynccontextmanager
async def asking(client: httpx.AsyncClient, count: int, *, stream: bool) -> AsyncGenerator[None]:
    """Have so many clients ask for long answers; leaving the block hangs up."""

    async def read(number: int) -> None:
        long = body(LONG, stream=stream, mark=f"{time.monotonic_ns()} {number}")
        async with client.stream("POST", PATH, json=long) as answer:
            msgspec.json.encode([part async for part in answer.aiter_text()])

    readers = [asyncio.create_task(read(number)) for number in range(count)]
    try:
        yield
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_who_hangs_up_frees_the_server_within_a_second(
    vllm: str, client: httpx.AsyncClient, stream: bool
) -> None:
    async with asking(client, 1, stream=True):
        await seconds_until(lambda load: load.running == 1, vllm)
        async with asking(client, 3, stream=stream):
            await seconds_until(lambda load: load.running > 1, vllm)
        freed = await seconds_until(lambda load: load.running <= 1, vllm)
    all_freed = await seconds_until(lambda load: load.running == 0, vllm)

    print(f"freed in {freed:.2f} s, the last in {all_freed:.2f} s")  # noqa: T201 - as above
    assert freed < SECONDS_TO_FREE
    assert all_freed < SECONDS_TO_FREE


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_who_hangs_up_while_it_waits_never_reaches_the_server(
    vllm: str, client: httpx.AsyncClient, stream: bool
) -> None:
    async with asking(client, CLIENTS, stream=stream):
        await seconds_until(lambda load: load.running > 0, vllm)
        async with asyncio.timeout(30):
            while await waiting(client) < CLIENTS // 2:
                await asyncio.sleep(0.05)
    freed = await seconds_until(lambda load: load.running + load.waiting == 0, vllm)

    assert await waiting(client) == 0
    print(f"{CLIENTS} left, freed in {freed:.2f} s")  # noqa: T201 - as above
    assert freed < SECONDS_TO_FREE
    assert (await client.post(PATH, json=body(2, stream=False))).status_code == 200
