"""Signs of life for those who wait: only where a stream is what will come, and never to a server's harm."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from routing.core.enums import RequestStatus
from tests.support.router import (
    MODEL,
    Router,
    a_model,
    a_server,
    an_id,
    chat,
    events,
    names,
    principals,
    running_router,
    servers,
    until,
)
from tests.support.wire import Peer, Wire, serving

PAGE = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>"
BODY = b'{"model":"gpt-oss-120b","data":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    b'data: {"choices":[{"delta":{"content":"mot"}}]}\n\ndata: [DONE]\n\n'
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
async def a_house(var: Path, slow: Slow, **changes: Any) -> AsyncGenerator[tuple[Router, Wire]]:
    async with (
        serving(slow.script) as wire,
        running_router(
            var,
            principals(),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{wire.port}", **changes)),
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


async def test_a_page_instead_of_the_promised_stream_is_a_failure_and_another_server_is_asked(
    tmp_path: Path,
) -> None:
    may_answer = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await may_answer.wait()
        await peer.send(PAGE if len(wire.requests) == 1 else STREAM)

    async with (
        serving(script) as wire,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", "reims-1")),
            servers(
                *(
                    a_server(name, f"http://127.0.0.1:{wire.port}")
                    for name in ("rennes-1", "reims-1")
                )
            ),
        ) as router,
    ):
        asking = asyncio.create_task(router.post(json=chat(stream=True)))
        await until(lambda: wire.requests)
        await look_later(router)
        may_answer.set()

        answer = await asking

        assert answer.text.startswith(": in progress, a server has it")
        assert '"content":"mot"' in answer.text
        assert "error" not in answer.text
        tried = [attempt.outcome for attempt in (await router.only_closed()).attempts]
        assert tried == ["bad_answer", "ok"]
        await router.idle()


async def test_who_waits_is_told_a_place_that_gets_better(tmp_path: Path) -> None:
    slow = Slow()
    async with a_house(tmp_path, slow, max_parallel=1) as (router, wire):
        clients = [
            asyncio.create_task(router.post(json=chat(stream=True, user=str(number))))
            for number in range(3)
        ]
        await until(lambda: router.gateway.waiting(an_id(MODEL)) == 2)
        await look_later(router)
        slow.may_answer.set()

        told = [(await client).text.partition("\n")[0] for client in clients]

    assert len(wire.requests) == 3
    assert told[0] == ": in progress, a server has it"
    assert sorted(told[1:])[0].startswith(": in progress, place 1 of 2")
    assert sorted(told[1:])[1].startswith(": in progress, place 2 of 2")
