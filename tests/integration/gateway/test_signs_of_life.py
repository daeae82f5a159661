"""Signs of life for those who wait: only where a stream is what will come, and never to a server's harm."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from routing.core.enums import RequestStatus
from tests.support.router import (
    MODEL,
    Router,
    a_model,
    a_server,
    chat,
    events,
    names,
    principals,
    running_router,
    servers,
    until,
)
from tests.support.wire import Peer, Wire, serving

BODY = b'{"model":"gpt-oss-120b","data":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
LATER = 30.0  # seconds, beyond those for which a status is held back


class Slow:
    """A server that answers in JSON when it is told to, whatever it was asked."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()

    async def script(self, peer: Peer) -> None:
        while await peer.request() is not None:
            await self.may_answer.wait()
            await peer.send(ANSWER)


@asynccontextmanager
async def a_house(var: Path, slow: Slow) -> AsyncGenerator[tuple[Router, Wire]]:
    async with (
        serving(slow.script) as wire,
        running_router(
            var,
            principals(),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{wire.port}")),
        ) as router,
    ):
        yield router, wire


async def look_later(router: Router) -> None:
    """Make the round of a time at which every client has long waited."""
    now = asyncio.get_running_loop().time()
    for journey in tuple(router.gateway.journeys):
        await journey.look(now + LATER)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank", "/tokenize"])
async def test_what_never_streams_is_not_promised_as_a_stream(tmp_path: Path, path: str) -> None:
    slow = Slow()
    async with a_house(tmp_path, slow) as (router, wire):
        asking = asyncio.create_task(router.post(path, json={"model": MODEL, "stream": True}))
        await until(lambda: wire.requests)
        await look_later(router)
        slow.may_answer.set()

        answer = await asking

        assert (answer.status_code, answer.content) == (200, BODY)
        assert (await router.only_closed()).status is RequestStatus.OK


async def test_a_server_that_sends_no_stream_where_one_was_promised_is_not_asked_again_nor_blamed(
    tmp_path: Path,
) -> None:
    slow = Slow()
    async with a_house(tmp_path, slow) as (router, wire):
        asking = asyncio.create_task(router.post(json=chat(stream=True)))
        await until(lambda: wire.requests)
        await look_later(router)
        slow.may_answer.set()

        answer = await asking

        assert answer.text.startswith(": in progress")
        assert '"code":"server_failed"' in events(answer.text)[0]
        assert events(answer.text)[-1] == "[DONE]"
        assert len(wire.requests) == 1
        (server,) = router.gateway.dispatcher.load().servers.values()
        assert (server.health, server.failures) == ("healthy", 0)
        assert (await router.only_closed()).status is RequestStatus.SERVER_ERROR
        await router.idle()
