"""Metadata over https into a file, through the egress guard, as it streams: aggregates have up to 100 MB."""

import asyncio
from pathlib import Path

import httpx

from federation.identity.metadata import MOST_BYTES, Fault, MetadataRefusedError
from federation.identity.sessions import policy
from routing.upstream.errors import UpstreamError
from routing.upstream.guarded import guarded_client

SECONDS = 300.0


def download(url: str, path: Path) -> None:
    """Write the answer of `url` into a file. Raises `MetadataRefusedError` when there is none, or too much of it."""
    try:
        asyncio.run(_download(url, path))
    except (UpstreamError, httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
        raise MetadataRefusedError(Fault.AWAY) from None


async def _download(url: str, path: Path) -> None:
    size = 0
    async with (
        asyncio.timeout(SECONDS),
        guarded_client(policy()) as http,
        http.stream("GET", url, headers={"accept-encoding": "identity"}) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise MetadataRefusedError(Fault.AWAY)
        with path.open("wb") as file:
            async for part in answer.aiter_raw():
                size += len(part)
                if size > MOST_BYTES:
                    raise MetadataRefusedError(Fault.TOO_LARGE)
                file.write(part)
