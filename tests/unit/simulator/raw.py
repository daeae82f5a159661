"""A client of bare bytes: what came over the wire and how the connection ended."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from routing.simulator import Simulated

# Everything here answers at once; this only turns a hang into a failure.
PATIENCE = 20.0
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 5}


def config(**more: object) -> dict[str, object]:
    """Two vLLMs without delays; `more` is for both."""
    usual = {"engine": "vllm", "model": "m", **more}
    return {"servers": [{"name": name, **usual} for name in ("rennes", "reims")], "speed": 0}


def post(path: str, body: object, *headers: str) -> bytes:
    """A request that ends the connection after its answer."""
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "host: simulated",
        "connection: close",
        "content-type: application/json",
        f"content-length: {len(content)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@asynccontextmanager
async def connected(
    servers: Simulated, name: str = "rennes"
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(servers.url(name))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()


async def exchange(servers: Simulated, sent: bytes, name: str = "rennes") -> bytes:
    """All bytes that answer a request; raises `ConnectionResetError` if a reset ends them."""
    async with connected(servers, name) as (reader, writer):
        writer.write(sent)
        return await reader.read()


async def chat(servers: Simulated, *headers: str, stream: bool = False) -> bytes:
    return await exchange(
        servers, post("/v1/chat/completions", {**CHAT, "stream": stream}, *headers)
    )


def split(answer: bytes) -> tuple[str, bytes]:
    """The status line with the headers, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body
