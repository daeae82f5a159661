"""`kill -9` of each part under 50 streams: what clients see, and what the accounts hold afterwards."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.processes import children, wait_for
from tests.support.product import ROOT, Product, free_port, is_ok

STREAMS = 50
WORDS = 60
SETTLED_SECONDS = 60.0


class Outcome(NamedTuple):
    """What one client saw: the request's id if a head came, whether the stream came to its end."""

    request_id: str | None
    complete: bool
    error: str


async def stream(client: httpx.AsyncClient, model: str, begun: asyncio.Semaphore) -> Outcome:
    request_id = None
    body = {
        "model": model,
        "stream": True,
        "max_tokens": WORDS,
        "min_tokens": WORDS,
        "messages": [{"role": "user", "content": "Raconte une longue histoire."}],
    }
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            request_id = answer.headers["x-request-id"]
            begun.release()
            if answer.status_code != 200:
                return Outcome(request_id, False, f"HTTP {answer.status_code}")
            text = "".join([part async for part in answer.aiter_text()])
    except httpx.HTTPError as error:
        begun.release()
        return Outcome(request_id, False, type(error).__name__)
    return Outcome(request_id, text.rstrip().endswith("data: [DONE]"), "")


async def under_streams(product: Product, *names: str) -> list[Outcome]:
    """Kill the parts once every stream has begun; return what the clients saw."""
    begun = asyncio.Semaphore(0)
    models = product.demo["models"]
    async with httpx.AsyncClient(
        base_url=product.address,
        headers={"authorization": f"Bearer {product.demo['keys']['p3']}"},
        timeout=120,
        trust_env=False,
        limits=httpx.Limits(max_connections=STREAMS),
    ) as client:
        tasks = [
            asyncio.create_task(stream(client, models[n % len(models)], begun))
            for n in range(STREAMS)
        ]
        for _ in range(STREAMS):
            await asyncio.wait_for(begun.acquire(), 60)
        for name in names:
            await asyncio.to_thread(product.kill, name)
        return await asyncio.gather(*tasks)


def statuses(product: Product, ids: list[str]) -> list[str]:
    found = product.rows("SELECT status FROM billing_usagerecord WHERE id = ANY(%s::uuid[])", ids)
    return [status for (status,) in found]


async def test_every_request_of_a_killed_router_is_accounted_exactly_once(
    product: Product,
) -> None:
    since = datetime.now(UTC)

    seen = await under_streams(product, "router")

    product.wait_ready()
    ids = [outcome.request_id for outcome in seen if outcome.request_id]
    assert len(ids) == STREAMS
    wait_for(
        lambda: len(statuses(product, ids)) == STREAMS, "a record per request", SETTLED_SECONDS
    )
    assert set(statuses(product, ids)) <= {"ok", "interrupted"}
    recorded = product.rows(
        "SELECT id::text FROM billing_usagerecord WHERE received_at >= %s", since
    )
    assert sorted(i for (i,) in recorded) == sorted(ids)
    assert product.rows("SELECT count(*) FROM routing_spoolopen")[0][0] == 0
    checked = product.manage("check_usage")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", ["portal", "clerk", "postgres"])
async def test_no_stream_breaks_and_nothing_is_lost_when_another_part_is_killed(
    product: Product, name: str
) -> None:
    seen = await under_streams(product, name)

    assert [outcome for outcome in seen if not outcome.complete] == []
    product.wait_ready()
    ids = [outcome.request_id or "" for outcome in seen]
    wait_for(
        lambda: statuses(product, ids) == ["ok"] * STREAMS, "a record per request", SETTLED_SECONDS
    )


async def test_the_router_starts_and_answers_with_the_database_away(product: Product) -> None:
    """Whom no hard budget bounds; what is left of one cannot be told, and is not passed."""
    model = product.demo["models"][0]
    with database_away(product):
        product.kill("router")
        wait_for(lambda: is_ok(f"{product.address}/health/readiness"), "the router's readiness")
        answer = ask(product, model, "rennes")
        refused = ask(product, model)

    assert answer.status_code == 200, answer.text
    assert refused.status_code == 503, refused.text
    assert "budget_unknown" in refused.text
    request_id = answer.headers["x-request-id"]
    wait_for(lambda: statuses(product, [request_id]) == ["ok"], "its record", SETTLED_SECONDS)
    wait_for(lambda: ask(product, model).status_code == 200, "its budget's state")


@contextmanager
def database_away(product: Product) -> Iterator[None]:
    """Hold PostgreSQL with all its processes: the first takes connections, the others serve those that there are."""
    held = [product.pid("postgres")]
    try:
        os.kill(held[0], signal.SIGSTOP)
        for pid in children(held[0]):
            held.append(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in held:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_a_server_killed_under_load_costs_no_client_anything_before_the_first_byte(
    product: Product, tmp_path: Path
) -> None:
    with (
        simulated_server(tmp_path, "first") as first,
        simulated_server(tmp_path, "second") as second,
    ):
        for institution, server in (("rennes", first), ("reims", second)):
            register(product, institution, server.url)
        wait_for(lambda: ask(product, MODEL).status_code == 200, "the model in service")

        results = await under_load(product, kill=first)

    assert results.count("before") == 0
    assert results.count("complete") >= STREAMS // 2


async def under_load(product: Product, kill: "SimulatedServer") -> list[str]:
    """Ask again and again from 20 clients while a server is killed; say how each request ended."""
    results: list[str] = []
    async with httpx.AsyncClient(
        base_url=product.address,
        headers={"authorization": f"Bearer {product.demo['keys']['p3']}"},
        timeout=120,
        trust_env=False,
    ) as client:

        async def ask_several() -> None:
            for _ in range(STREAMS // 10):
                outcome = await stream(client, MODEL, asyncio.Semaphore(0))
                begun = outcome.request_id is not None and not outcome.error.startswith("HTTP")
                results.append("complete" if outcome.complete else "after" if begun else "before")

        tasks = [asyncio.create_task(ask_several()) for _ in range(20)]
        await asyncio.sleep(1)  # in the middle of the first answers, which take a second and more
        kill.process.kill()
        await asyncio.gather(*tasks)
    return results


MODEL = "model-of-two-servers"
SERVED = "two-servers"


class SimulatedServer(NamedTuple):
    process: subprocess.Popen[bytes]
    url: str


@contextmanager
def simulated_server(folder: Path, name: str) -> Iterator[SimulatedServer]:
    port = free_port()
    server = {"name": name, "engine": "vllm", "model": SERVED, "port": port, "max_num_seqs": 32}
    configuration = folder / f"{name}.json"
    configuration.write_text(json.dumps({"servers": [server]}))
    process = subprocess.Popen(
        [sys.executable, "-m", "routing.simulator", str(configuration)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_ok(f"{url}/health"), "the simulated server")
        yield SimulatedServer(process, url)
    finally:
        process.kill()
        process.wait()


def register(product: Product, institution: str, url: str) -> None:
    subprocess.run(
        [
            *(sys.executable, "manage.py", "register_server", url, "--institution", institution),
            *("--engine", "vllm", "--model", MODEL, "--served-name", SERVED),
        ],
        cwd=ROOT,
        env={**os.environ, **product.management_environment()},
        check=True,
        capture_output=True,
    )


def ask(product: Product, model: str, key: str = "p3") -> httpx.Response:
    return httpx.post(
        f"{product.address}/v1/chat/completions",
        headers={"authorization": f"Bearer {product.demo['keys'][key]}"},
        json={"model": model, "max_tokens": 3, "messages": [{"role": "user", "content": "Oui ?"}]},
        timeout=30,
        trust_env=False,
    )
