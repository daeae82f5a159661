"""Clients that leave, read too slowly or ask for too much: their places are freed at once, their use is accounted."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from routing.core.enums import RequestStatus, UsageSource
from routing.gateway.settings import Limits
from routing.simulator import Simulated, simulated
from tests.support.router import (
    KEY,
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
from tests.support.wire import Peer, answering, serving

SECONDS_TO_NOTICE = 1.0
EVENT = b'data: {"choices":[{"delta":{"content":"mot"}}]}\n\n'
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def request(**changes: object) -> bytes:
    """Return a chat request as bytes on the wire."""
    body = msgspec.json.encode(chat(**changes))
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
        b"content-length: %d\r\n\r\n%b" % (KEY.encode(), len(body), body)
    )


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture
async def slow() -> AsyncGenerator[Simulated]:
    """One simulated server that writes a token each 50 ms, two answers at a time."""
    config = {
        "servers": [{"name": "rennes-1", "engine": "vllm", "model": "m", "seconds_per_token": 0.05}]
    }
    async with simulated(config) as running:
        yield running


@pytest.fixture
async def router(tmp_path: Path, slow: Simulated) -> AsyncGenerator[Router]:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model("rennes-1", served_name="m")),
        servers(a_server("rennes-1", slow.url("rennes-1"), max_parallel=1)),
    ) as running:
        yield running


def running(slow: Simulated) -> int:
    """Return how many answers the simulated server computes."""
    return len(slow.servers["rennes-1"].engine.batch.running)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_leaves_frees_its_server_at_once(
    router: Router, slow: Simulated, stream: bool
) -> None:
    async with router.bare(request(stream=stream, max_tokens=1000, min_tokens=1000)) as client:
        await until(lambda: running(slow) == 1)
        if stream:
            await client.until(b"data: ")
        left_at = time.monotonic()
        client.hang_up()
        await until(lambda: running(slow) == 0)

    assert time.monotonic() - left_at < SECONDS_TO_NOTICE
    closed = await router.only_closed()
    assert closed.status is RequestStatus.ABANDONED
    assert closed.error_code == "client_left"
    assert closed.http_status == (200 if stream else 499)
    expected = UsageSource.COUNTED if stream else UsageSource.ESTIMATED
    assert closed.usage_source is expected
    assert closed.prompt_tokens > 0
    await router.idle()


async def test_a_client_that_leaves_while_it_waits_takes_nobodys_turn(
    router: Router, slow: Simulated
) -> None:
    async with (
        router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as first,
        router.bare(request()) as waiting,
    ):
        await until(lambda: len(router.opened()) == 2)
        waiting.hang_up()
        await until(lambda: len(router.closed()) == 1)
        (closed,) = router.closed()
        first.hang_up()

    assert closed.status is RequestStatus.ABANDONED
    assert closed.attempts == ()
    assert closed.usage_source is UsageSource.NONE
    await router.idle()
    assert (await router.post(json=chat())).status_code == 200


async def test_a_waiting_request_gets_the_place_of_one_that_leaves(
    router: Router, slow: Simulated
) -> None:
    async with router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as first:
        await first.until(b"data: ")
        waiting = asyncio.create_task(router.post(json=chat()))
        await until(lambda: router.gateway.waiting(router.opened()[0].model_id) == 1)

        first.hang_up()

        assert (await waiting).status_code == 200


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(
    router: Router,
) -> None:
    async with router.bare(request()[:-10]) as client:
        await until(lambda: router.gateway.bodies.taken > 0)
        client.hang_up()
        await router.idle()

    assert router.records() == []


async def test_a_client_that_does_not_read_holds_its_server_back_and_is_cut(
    tmp_path: Path,
) -> None:
    sent = 0

    async def endless(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(STREAM_HEAD)
        while True:
            await peer.send(chunk(EVENT * 1000))
            sent = peer.sent

    async with (
        serving(endless) as upstream,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{upstream.port}")),
            limits=Limits(slow_client_seconds=0.5),
        ) as router,
        router.bare(request(stream=True)) as client,
    ):
        await client.until(b"data: ")
        closed = await router.only_closed()
        await router.idle()

    assert closed.status is RequestStatus.ABANDONED
    assert closed.error_code == "slow_client"
    assert sent < 32_000_000  # what fits between: the kernel's buffers and 64 kB at each step


def long_answer() -> bytes:
    """Return an answer that no kernel's buffer holds, but the router does until it is complete."""
    body = b'{"object":"list","model":"m","data":[{"embedding":[%b0]}]}' % (b"0.125," * 1_200_000)
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def test_a_whole_answer_that_nobody_reads_keeps_its_room_taken_and_is_cut(
    tmp_path: Path,
) -> None:
    body = msgspec.json.encode({"model": MODEL, "input": "x"})
    ask = (
        b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
        b"content-length: %d\r\n\r\n%b" % (KEY.encode(), len(body), body)
    )
    async with (
        serving(answering(long_answer())) as upstream,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{upstream.port}")),
            limits=Limits(slow_client_seconds=0.5),
        ) as router,
        router.bare(ask) as client,
    ):
        await client.until(b"\r\n\r\n")
        assert router.gateway.bodies.taken > 7_000_000
        await until(lambda: not router.gateway.connections)
        await router.idle()

        assert (
            await router.only_closed()
        ).status is RequestStatus.OK  # the server has done its part


async def test_who_reads_slowly_but_reads_gets_all_of_a_long_answer(tmp_path: Path) -> None:
    async with (
        serving(answering(long_answer())) as portal,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{portal.port}")),
            limits=Limits(slow_client_seconds=0.5),
        ) as router,
        router.client() as client,
        client.stream("POST", "/v1/embeddings", json={"model": MODEL, "input": "x"}) as answer,
    ):
        got = 0
        async for part in answer.aiter_raw(1_000_000):
            got += len(part)
            await asyncio.sleep(0.1)
        assert got == int(answer.headers["content-length"])


async def test_a_client_that_does_not_read_stops_nobody_elses_time_outs(
    tmp_path: Path, slow: Simulated
) -> None:
    limits = Limits(hold_back_seconds=0.01, comment_seconds=0.01, body_idle_seconds=0.3)
    async with (
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", slow.url("rennes-1"), max_parallel=1)),
            limits=limits,
        ) as router,
        router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as first,
    ):
        await first.until(b"data: ")
        (held,) = router.gateway.connections
        async with router.bare(request(stream=True)) as waiting:
            await waiting.until(b": in progress")
            (connection,) = router.gateway.connections - {held}
            connection.pause_writing()  # as its transport does when nobody reads
            async with router.bare(request()[:-10]) as slow_body:
                assert b" 408 " in await slow_body.until(b"\r\n")
            connection.resume_writing()
            first.hang_up()
            assert b'"content"' in await waiting.until(b"[DONE]")


async def test_an_answer_that_runs_too_long_is_ended(tmp_path: Path, slow: Simulated) -> None:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model("rennes-1", served_name="m")),
        servers(a_server("rennes-1", slow.url("rennes-1"))),
        limits=Limits(run_seconds=0.3),
    ) as router:
        stream = await router.post(json=chat(stream=True, max_tokens=1000, min_tokens=1000))
        whole = await router.post(json=chat(max_tokens=1000, min_tokens=1000))

        assert msgspec.json.decode(events(stream.text)[-2])["error"]["code"] == "run_timeout"
        assert whole.status_code == 504
        assert whole.json()["error"]["code"] == "run_timeout"
        assert [each.status for each in router.closed()] == [RequestStatus.INTERRUPTED] * 2
        assert [each.http_status for each in router.closed()] == [200, 504]
        await router.idle()
        await until(lambda: running(slow) == 0)


async def test_a_stream_that_waits_gets_signs_of_life_and_then_its_answer(
    tmp_path: Path, slow: Simulated
) -> None:
    async with (
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", slow.url("rennes-1"), max_parallel=1)),
            limits=Limits(hold_back_seconds=0.05, comment_seconds=0.05),
        ) as router,
        router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as first,
    ):
        await first.until(b"data: ")
        async with router.bare(request(stream=True)) as second:
            head = await second.until(b"\r\n\r\n")
            comment = await second.until(b"\n\n")
            first.hang_up()
            rest = await second.until(b"[DONE]")

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b": in progress, place 1 of 1, about " in comment
    assert b'"content"' in rest


async def test_a_refusal_within_the_held_back_time_is_a_true_503(
    tmp_path: Path, slow: Simulated
) -> None:
    async with (
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", slow.url("rennes-1"), max_parallel=1)),
            limits=Limits(wait_seconds=0.1),
        ) as router,
        router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as first,
    ):
        await first.until(b"data: ")
        refused = await router.post(json=chat(stream=True))
        first.hang_up()

    assert refused.status_code == 503
    assert refused.json()["error"]["message"] == "Too many people using the service"
    assert int(refused.headers["retry-after"]) > 0


async def test_a_refusal_after_signs_of_life_is_the_streams_last_event(
    tmp_path: Path, slow: Simulated
) -> None:
    async with (
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", slow.url("rennes-1"), max_parallel=1)),
            limits=Limits(wait_seconds=0.3, hold_back_seconds=0.05),
        ) as router,
        router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as first,
    ):
        await first.until(b"data: ")
        refused = await router.post(json=chat(stream=True))
        first.hang_up()

    assert refused.status_code == 200
    error, end = events(refused.text)
    assert msgspec.json.decode(error)["error"]["code"] == "too_many_people"
    assert end == "[DONE]"
    assert router.closed()[0].status is RequestStatus.REFUSED


async def test_running_streams_are_ticked(tmp_path: Path, slow: Simulated) -> None:
    async with (
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="m")),
            servers(a_server("rennes-1", slow.url("rennes-1"))),
            limits=Limits(tick_seconds=0.05),
        ) as router,
        router.bare(request(stream=True, max_tokens=1000, min_tokens=1000)) as client,
    ):
        await client.until(b"data: ")
        await until(lambda: len(router.ticked()) > 2)
        client.hang_up()
        await until(router.closed)

        counts = [tick.completion_tokens for tick in router.ticked()]
        assert counts == sorted(counts)
        assert counts[-1] > 0
        assert router.ticked()[0].id == router.closed()[0].opened.id


async def test_an_answer_too_long_to_hold_is_passed_on_and_accounted(tmp_path: Path) -> None:
    vectors = b"0.125," * 400_000
    body = (
        b'{"object":"list","model":"served","data":[{"embedding":[%b0]}],'
        b'"usage":{"prompt_tokens":7,"total_tokens":7}}' % vectors
    )
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    async with (
        serving(answering(answer + b"content-length: %d\r\n\r\n%b" % (len(body), body))) as server,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name="served")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{server.port}")),
            limits=Limits(max_held_answer_bytes=100_000),
        ) as router,
    ):
        got = await router.post("/v1/embeddings", json={"model": "gpt-oss-120b", "input": "x"})

        assert got.content == body.replace(b'"served"', b'"gpt-oss-120b"')
        closed = await router.only_closed()
        assert (closed.prompt_tokens, closed.usage_source) == (7, UsageSource.SERVER)
        await router.idle()
