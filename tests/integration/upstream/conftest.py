"""Each test here runs on both event loops: the router's (uvloop) and Python's own."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
import uvloop

from routing.upstream.client import Client
from routing.upstream.egress import EgressPolicy


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    client = Client(EgressPolicy())
    yield client
    await client.close()
