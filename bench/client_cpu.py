"""CPU of the relay's own client alone: per plain request and per chunk of a stream, beside httpx in the same run.

    python bench/client_cpu.py [REQUESTS]

Builds `mock_upstream.c` with gcc in a temporary folder and runs it on a free port. CPU is this process's, client
and event loop together. Goals: about 20 µs a plain request, at most 15 µs a chunk. Compare within one run only.
"""

import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
import uvloop  # noqa: E402

from routing.upstream.client import Client, Destination  # noqa: E402
from routing.upstream.egress import EgressPolicy, Target  # noqa: E402

HOST = "127.0.0.1"
PATH = "/v1/chat/completions"
REQUESTS = 20_000
STREAMS = 64
CHUNKS = 150
GAP_MS = 20
HEADERS = ((b"content-type", b"application/json"),)
PLAIN = b'{"model":"m","messages":[{"role":"user","content":"%s"}]}' % (b"x" * 1900)
STREAM = b'{"model":"m","stream":true,"max_tokens":%d,"messages":[]}' % CHUNKS

Ask = Callable[[bytes], Awaitable[int]]
"""A request's body → how many times something came."""


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    if shutil.which("gcc") is None:
        sys.exit("needs gcc, for the server that costs nothing")
    with mock_server() as port:
        uvloop.run(compare(port, requests))


async def compare(port: int, requests: int) -> None:
    client = Client(EgressPolicy(grants=((HOST, port),)))
    destination = Destination(target=Target("http", HOST, port))

    async def ours(body: bytes) -> int:
        response, reads = await client.request(destination, "POST", PATH, HEADERS, body), 0
        while await response.read():
            reads += 1
        return reads

    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as http:

        async def theirs(body: bytes) -> int:
            reads = 0
            headers = {"content-type": "application/json"}
            async with http.stream("POST", PATH, content=body, headers=headers) as response:
                async for _ in response.aiter_raw():
                    reads += 1
            return reads

        for name, ask, count in (("own client", ours, requests), ("httpx", theirs, requests // 20)):
            alone = await plain(ask, count, at_once=1)
            crowd = await plain(ask, count, at_once=32)
            chunk = await chunks(ask)
            print(
                f"{name:10}  plain request {alone:7.1f} µs alone, {crowd:7.1f} µs of 32"
                f"   chunk {chunk:6.1f} µs ({chunk / 10:.2f} s/100k)"
            )
    await client.close()


async def plain(ask: Ask, count: int, *, at_once: int) -> float:
    """Return the CPU of one request in µs, `at_once` of them running."""

    each = max(count // at_once, 1)

    async def some() -> None:
        for _ in range(each):
            await ask(PLAIN)

    await asyncio.gather(*(ask(PLAIN) for _ in range(at_once)))
    before = time.process_time()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return (time.process_time() - before) * 1e6 / (each * at_once)


async def chunks(ask: Ask) -> float:
    """Return the CPU of one chunk in µs, in streams with a gap between their chunks."""
    await asyncio.gather(*(ask(STREAM) for _ in range(STREAMS)))
    before = time.process_time()
    reads = sum(await asyncio.gather(*(ask(STREAM) for _ in range(STREAMS))))
    return (time.process_time() - before) * 1e6 / reads


@contextmanager
def mock_server() -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="ilaas-bench-") as folder:
        program = Path(folder) / "mock"
        source = Path(__file__).with_name("mock_upstream.c")
        subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
        with socket.socket() as found:
            found.bind((HOST, 0))
            port: int = found.getsockname()[1]
        server = subprocess.Popen([program, str(port), str(GAP_MS), str(CHUNKS)])
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()
            server.wait()


def _wait_for(port: int) -> None:
    ends_at = time.monotonic() + 5
    while time.monotonic() < ends_at:
        with socket.socket() as trial:
            if trial.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    sys.exit("the mock server did not start")


if __name__ == "__main__":
    main()
