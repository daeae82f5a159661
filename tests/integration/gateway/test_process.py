"""The router as a process of its own: how it starts, refuses to start, ends, and what it never loads."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from routing.core.accounting import Closed, read_frames
from routing.core.enums import RequestStatus
from routing.gateway.snapshot import save_section
from routing.simulator import Simulated, simulated
from tests.support.processes import is_alive
from tests.support.product import ROOT, free_port
from tests.support.router import (
    ENCRYPTION_KEY,
    KEY,
    PEPPER,
    a_model,
    a_server,
    chat,
    events,
    names,
    principals,
    servers,
    until,
)
from tests.support.wire import Peer, serving

COMMAND = (sys.executable, "-m", "routing.gateway")
LOADED = """
import sys
import routing.gateway.__main__
print(*sorted(sys.modules))
"""


def environment(var: Path, run_dir: Path, port: int, **changes: str) -> dict[str, str]:
    given = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "VAR": str(var),
        "RUN_DIR": str(run_dir),
        "PEPPER": PEPPER,
        "ENCRYPTION_KEY": ENCRYPTION_KEY,
    }
    return given | changes


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ilaas-run-") as folder:
        yield Path(folder)


@pytest.fixture
async def slow() -> AsyncGenerator[Simulated]:
    config = {
        "servers": [{"name": "rennes-1", "engine": "vllm", "model": "m", "seconds_per_token": 0.02}]
    }
    async with simulated(config) as running:
        yield running


Started = tuple[asyncio.subprocess.Process, httpx.AsyncClient]


@asynccontextmanager
async def started(
    var: Path, run_dir: Path, slow: Simulated, **changes: str
) -> AsyncGenerator[Started]:
    for section in (
        principals(),
        names(a_model("rennes-1", served_name="m")),
        servers(a_server("rennes-1", slow.url("rennes-1"))),
    ):
        save_section(var / "table", section)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        cwd=ROOT,
        env=environment(var, run_dir, port, **changes),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {KEY}"},
            trust_env=False,
            timeout=20,
        ) as client:
            await answers(client)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/health/readiness")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def closed(var: Path) -> list[Closed]:
    return [
        record
        for path in sorted((var / "spool").glob("*.spool"))
        for _, record in read_frames(path.read_bytes())
        if isinstance(record, Closed)
    ]


def test_the_process_knows_neither_django_nor_the_database() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    rooms = {name.split(".")[0] for name in loaded}
    assert "routing" in rooms
    assert not {"django", "psycopg", "federation", "config", "dashboards"} & rooms
    # Of the accounts it knows the one part that is pure: what an answer takes is reckoned where it ends.
    billing = {name for name in loaded if name.startswith("billing.")}
    assert {name for name in billing if not name.startswith("billing.impact")} == set()


@pytest.mark.parametrize(
    ("changes", "arguments", "told"),
    [
        ({"WEB_CONCURRENCY": "4"}, (), "one process"),
        ({}, ("--workers", "4"), "one process"),
        ({"PORT": "none"}, (), "PORT is 'none'"),
        ({"ENCRYPTION_KEY": "short"}, (), "ENCRYPTION_KEY"),
        ({"VAR": ""}, (), "VAR is not set"),
        ({"MAX_BODY_BYTES": "-1"}, (), "MAX_BODY_BYTES"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(
    tmp_path: Path, run_dir: Path, changes: dict[str, str], arguments: tuple[str, ...], told: str
) -> None:
    ended = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(tmp_path, run_dir, free_port(), **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_taken_port_ends_it_without_a_traceback(tmp_path: Path, run_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = subprocess.run(
            COMMAND,
            cwd=ROOT,
            env=environment(tmp_path, run_dir, other.getsockname()[1]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode != 0
    assert "address already in use" in ended.stderr.lower()
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("same", ["data", "port"])
async def test_a_second_router_ends_in_a_line_and_does_the_first_no_harm(
    tmp_path: Path, run_dir: Path, slow: Simulated, same: str
) -> None:
    async with started(tmp_path / "first", run_dir, slow) as (_, client):
        assert client.base_url.port is not None
        var = tmp_path / ("first" if same == "data" else "second")
        port = client.base_url.port if same == "port" else free_port()
        files = sorted((tmp_path / "first").rglob("*"))

        second = await asyncio.create_subprocess_exec(
            *COMMAND,
            cwd=ROOT,
            env=environment(var, run_dir, port),
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await asyncio.wait_for(second.communicate(), 60)

        assert second.returncode not in (0, None)
        assert b"Traceback" not in told
        assert (b"Another router runs" if same == "data" else b"already in use") in told
        assert sorted((tmp_path / "first").rglob("*")) == files
        _, writer = await asyncio.open_unix_connection(run_dir / "router.sock")
        writer.close()
        assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200


async def test_running_streams_end_well_after_the_wish_to_end(
    tmp_path: Path, run_dir: Path, slow: Simulated
) -> None:
    async with started(tmp_path, run_dir, slow, DRAIN_SECONDS="15") as (process, client):
        body = chat(stream=True, max_tokens=30, min_tokens=30)
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            parts = answer.aiter_text()
            text = await anext(parts)
            process.send_signal(signal.SIGTERM)
            text += "".join([part async for part in parts])
        code = await asyncio.wait_for(process.wait(), 20)

    assert events(text)[-1] == "[DONE]"
    assert code == 0
    assert [each.status for each in closed(tmp_path)] == [RequestStatus.OK]
    assert not (run_dir / "router.sock").exists()


async def test_streams_that_do_not_end_are_cut_told_and_accounted(
    tmp_path: Path, run_dir: Path, slow: Simulated
) -> None:
    async with started(tmp_path, run_dir, slow, DRAIN_SECONDS="0.3") as (process, client):
        body = chat(stream=True, max_tokens=5000, min_tokens=5000)
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            parts = answer.aiter_text()
            text = await anext(parts)
            process.send_signal(signal.SIGTERM)
            text += "".join([part async for part in parts])
        code = await asyncio.wait_for(process.wait(), 20)

    assert msgspec.json.decode(events(text)[-2])["error"]["code"] == "router_stopping"
    assert code == 0
    (only,) = closed(tmp_path)
    assert only.status is RequestStatus.INTERRUPTED
    assert only.completion_tokens > 0


async def test_a_killed_router_leaves_an_opening_line_for_every_stream(
    tmp_path: Path, run_dir: Path, slow: Simulated
) -> None:
    async with started(tmp_path, run_dir, slow) as (process, client):
        body = chat(stream=True, max_tokens=5000, min_tokens=5000)
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            identifier = answer.headers["x-request-id"]
            parts = answer.aiter_text()
            await anext(parts)
            process.kill()
            with pytest.raises(httpx.TransportError):
                [part async for part in parts]
        await until(lambda: not is_alive(process.pid))

    written = b"".join(path.read_bytes() for path in (tmp_path / "spool").glob("*.spool"))
    assert [record.id for _, record in read_frames(written)] == [identifier]  # type: ignore[union-attr]


async def test_metrics_are_told_on_their_own_port_only(
    tmp_path: Path, run_dir: Path, slow: Simulated
) -> None:
    port = free_port()
    async with started(tmp_path, run_dir, slow, METRICS_PORT=str(port)) as (_, client):
        await client.post("/v1/chat/completions", json=chat())
        metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        public = await client.get("/metrics")

    assert 'ilaas_attempts_total{server="rennes-1",outcome="ok"} 1' in metrics
    assert public.status_code == 503  # a page's address: the portal's, which is not there


async def test_a_live_page_does_not_hold_up_the_end(
    tmp_path: Path, run_dir: Path, slow: Simulated
) -> None:
    async def live(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")
        await peer.until_hung_up()

    async with (
        serving(live, path=run_dir / "portal.sock"),
        started(tmp_path, run_dir, slow, DRAIN_SECONDS="60") as (process, client),
        client.stream("GET", "/live/") as page,
    ):
        parts = page.aiter_text()
        await anext(parts)
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 20) == 0
