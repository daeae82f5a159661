"""Meters of servers' energy for tests: probes, windows as a router writes them, a page of metrics over real HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock
from uuid import UUID

from routing.core.accounting import Metered
from routing.core.table import Probe
from routing.gateway import meters
from tests.support.router import NEVER, until

DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
MINUTE = 60.0


def a_probe(url: str = "http://127.0.0.1:9400/metrics", **changes: Any) -> Probe:
    """Return a counter of millijoules of the GPUs, as dcgm-exporter has it."""
    told: dict[str, Any] = {
        "id": str(UUID(int=77)),
        "url": url,
        "metric": DCGM,
        "unit": "mJ",
        "scope": "gpu",
        "idle_w": 100.0,
        "limit_w": 1050.0,
    }
    return Probe(**told | changes)


def a_window(server_id: object, start: float, **changes: Any) -> Metered:
    """Return a minute of 500 W, of which 100 W are drawn without work."""
    told: dict[str, Any] = {
        "server_id": str(server_id),
        "probe_id": str(UUID(int=77)),
        "scope": "gpu",
        "start": start,
        "end": start + MINUTE,
        "mj": 30_000_000,
        "covered_ms": 60_000,
        "idle_mw": 100_000,
    }
    return Metered(**told | changes)


def dcgm_page(*joules: float, metric: str = DCGM) -> str:
    """Return a page of dcgm-exporter, with so many GPUs."""
    lines = [
        f"# HELP {metric} Total energy consumption since boot (in mJ).",
        f"# TYPE {metric} counter",
        *(
            f'{metric}{{gpu="{n}",UUID="GPU-{n}",device="nvidia{n}",modelName="NVIDIA H100 80GB HBM3",'
            f'Hostname="gpu-1",DCGM_FI_DRIVER_VERSION="550.54.15"}} {round(each * 1000)}'
            for n, each in enumerate(joules)
        ),
    ]
    return "\n".join(lines) + "\n"


class Exporter:
    """Answers every request with `head` and `body`, one piece every `pause` seconds; counts who came."""

    def __init__(self) -> None:
        self.head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
        self.body: bytes = b""
        self.is_endless = False
        self.is_silent = False
        self.asked: list[bytes] = []
        self.url = ""
        self.writers: set[asyncio.StreamWriter] = set()

    def show(self, text: str) -> None:
        self.body = text.encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            if self.is_silent:
                await reader.read()
                return
            writer.write(self.head + self.body)
            while self.is_endless:
                writer.write(self.body * 100)
                await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.writers.discard(writer)


@asynccontextmanager
async def exporting() -> AsyncGenerator[Exporter]:
    exporter = Exporter()
    server = await asyncio.start_server(exporter.answer, "127.0.0.1", 0)
    exporter.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
    try:
        yield exporter
    finally:
        server.close()
        for writer in tuple(exporter.writers):
            writer.transport.abort()


@asynccontextmanager
async def read_to_the_end() -> AsyncGenerator[None]:
    """At the end, begin no more readings of meters, and wait for those under way: a socket needs time to close.

    For tests that have made `meters.LOOK_SECONDS` short, and put it back themselves.
    """
    try:
        yield
    finally:
        loop, turn = asyncio.get_running_loop(), meters.LOOK_SECONDS
        with mock.patch.object(meters._Reader, "is_due", return_value=False):
            meters.LOOK_SECONDS = NEVER
            looked = loop.time() + 3 * turn
            await until(
                lambda: loop.time() > looked and not any(map(_is_reading, asyncio.all_tasks()))
            )


def _is_reading(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "") == "_Reader.read"
