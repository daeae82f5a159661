"""How answers end: whole, broken, with a last error, or with a server that does not let go."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from routing.core import host
from routing.core.enums import Health, RequestStatus
from routing.gateway.settings import Limits
from tests.support.router import (
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
from tests.support.wire import Peer, Script, Wire, answering_once, serving, silent

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
UNTIL_CLOSE, CHUNKED = STREAM + b"\r\n", STREAM + b"transfer-encoding: chunked\r\n\r\n"
WORD = b'data: {"choices":[{"delta":{"content":"mot"}}]}\n\n'
ERROR = b'data: {"error":{"message":"out of memory","code":500}}'
DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def a_house(
    var: Path, script: Script, limits: Limits | None = None
) -> AsyncGenerator[tuple[Router, Wire]]:
    async with (
        serving(script) as wire,
        running_router(
            var,
            principals(),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{wire.port}")),
            limits=limits,
        ) as router,
    ):
        yield router, wire


@pytest.mark.parametrize(
    ("parts", "code", "failure"),
    [
        ((UNTIL_CLOSE, WORD, DONE), "", "ok"),
        ((UNTIL_CLOSE, WORD), "answer_interrupted", "lost"),
        ((UNTIL_CLOSE, WORD, ERROR), "answer_interrupted", "server_error"),
        ((CHUNKED, chunk(WORD), chunk(ERROR), b"0\r\n\r\n"), "answer_interrupted", "server_error"),
        ((CHUNKED, chunk(WORD), b"0\r\n\r\n"), "", "ok"),
    ],
    ids=["whole", "cut", "error", "error-in-chunks", "no-last-event-in-chunks"],
)
async def test_a_stream_that_did_not_end_well_says_so(
    tmp_path: Path, parts: tuple[bytes, ...], code: str, failure: str
) -> None:
    async with a_house(tmp_path, answering_once(*parts)) as (router, _):
        answer = await router.post(json=chat(stream=True))

        assert WORD.decode() in answer.text
        assert ('"error"' in answer.text) is bool(code)
        closed = await router.only_closed()
        assert closed.error_code == code
        assert (closed.status is RequestStatus.OK) is not bool(code)
        assert closed.attempts[0].outcome == failure
        await router.idle()


async def test_a_server_that_does_not_let_go_behind_the_last_event_is_let_go(
    tmp_path: Path,
) -> None:
    hung_up = False

    async def script(peer: Peer) -> None:
        nonlocal hung_up
        await peer.request()
        await peer.send(CHUNKED + chunk(WORD) + chunk(DONE))
        await peer.until_hung_up()
        hung_up = True

    async with a_house(tmp_path, script) as (router, _):
        answer = await router.post(json=chat(stream=True))

        assert events(answer.text)[-1] == "[DONE]"
        assert (await router.only_closed()).status is RequestStatus.OK
        await router.idle()
        await until(lambda: hung_up)


async def test_an_answer_that_ends_a_moment_behind_its_last_event_keeps_its_connection(
    tmp_path: Path,
) -> None:
    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(CHUNKED + chunk(WORD) + chunk(DONE))
            await until(router.closed)  # the router has seen the last event
            await peer.send(b"0\r\n\r\n")

    async with a_house(tmp_path, script) as (router, wire):
        for _ in range(2):
            assert (await router.post(json=chat(stream=True))).status_code == 200

        assert len(wire.peers) == 1


async def test_an_answer_too_long_to_be_held_is_held_by_nobody(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3000\r\n\r\n"
    taken = -1

    async def script(peer: Peer) -> None:
        nonlocal taken
        await peer.request()
        await peer.send(head)
        for _ in range(3):  # each when the one before is with the router
            await peer.send(b" " * 700)
            await until(lambda: router.gateway.bodies.taken > 0 or began())
        await until(began)
        taken = router.gateway.bodies.taken
        await peer.send(b" " * 900)

    def began() -> bool:
        return any(exchange.started for exchange in router.gateway.exchanges)

    async with a_house(tmp_path, script, Limits(max_held_answer_bytes=1000)) as (router, _):
        answer = await router.post(json=chat())

        assert len(answer.content) == 3000
        assert taken == 0
        await router.idle()


async def test_a_server_silent_for_as_long_as_a_request_may_run_is_not_blamed(
    tmp_path: Path,
) -> None:
    limits = Limits(run_seconds=1, server_head_seconds=1)
    async with a_house(tmp_path, silent, limits) as (router, wire):
        answer = await router.post(json=chat())

        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "run_timeout"
        closed = await router.only_closed()
        assert (closed.status, closed.http_status) == (RequestStatus.INTERRUPTED, 504)
        assert len(wire.requests) == 1
        (server,) = router.gateway.dispatcher.load().servers.values()
        assert server.failures == 0


async def test_a_stream_whose_engine_stops_in_the_middle_is_ended_and_the_server_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "SILENT_SECONDS", 0.2)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(WORD))
        await peer.until_hung_up()

    async with a_house(tmp_path, script) as (router, _):
        answer = await router.post(json=chat(stream=True))

        assert '"code":"answer_interrupted"' in answer.text
        closed = await router.only_closed()
        assert closed.status is RequestStatus.SERVER_ERROR
        assert [attempt.outcome for attempt in closed.attempts] == ["timeout"]
        (load,) = router.gateway.dispatcher.load().servers.values()
        assert load.health == Health.EJECTED
        await router.idle()
