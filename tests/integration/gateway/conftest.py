"""Two institutions' simulated servers behind a router, as most tests here need them."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from routing.simulator import Simulated, simulated
from routing.simulator.http import Request
from tests.support.router import (
    MODEL,
    Router,
    a_model,
    a_server,
    names,
    principals,
    running_router,
    servers,
)

SERVED = "served-name"
TOKEN = "sk-upstream"
NAMES = ("rennes-1", "reims-1")


def asked(upstream: Simulated, *names: str) -> list[Request]:
    """Return what clients had the servers asked; probes do not count."""
    every = [request for name in names or NAMES for request in upstream.requests(name)]
    return [request for request in every if request.method == "POST"]


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    config = {
        "speed": 0,
        "record": True,
        "servers": [
            {"name": name, "engine": "vllm", "model": SERVED, "api_key": TOKEN} for name in NAMES
        ],
    }
    async with simulated(config) as running:
        yield running


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name=SERVED, name=MODEL)),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
    ) as running:
        yield running
