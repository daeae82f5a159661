"""HTTP as clients really write it: in pieces, in a row, old, wrong or gone in the middle."""

import asyncio
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.simulator import simulated
from tests.unit.simulator.raw import CHAT, config, connected, exchange, post, split


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join((f"GET {path} HTTP/{version}", "host: x", *headers, "", "")).encode()


async def test_requests_in_a_row_are_answered_in_a_row_on_one_connection() -> None:
    async with simulated(config()) as servers:
        three = get("/version") + get("/nope") + get("/version", "connection: close")

        answers = await exchange(servers, three)

    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 400))
def test_a_request_may_arrive_in_pieces(cut: int) -> None:
    sent = post("/v1/chat/completions", CHAT)

    async def in_two_pieces() -> bytes:
        async with simulated(config()) as servers, connected(servers) as (reader, writer):
            writer.write(sent[: cut % len(sent)])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(sent[cut % len(sent) :])
            return await reader.read()

    assert asyncio.run(in_two_pieces()).startswith(b"HTTP/1.1 200")


async def test_a_body_may_come_in_chunks() -> None:
    content = json.dumps(CHAT).encode()
    head = post("/v1/chat/completions", CHAT).partition(b"\r\n\r\n")[0]
    length = b"content-length: %d" % len(content)
    chunks = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (content[:5], len(content) - 5, content[5:])
    async with simulated(config()) as servers:
        head = head.replace(length, b"transfer-encoding: chunked")

        answer = await exchange(servers, head + b"\r\n\r\n" + chunks)

    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_body_of_thirty_megabytes_is_read() -> None:
    async with simulated(config()) as servers:
        long = {"model": "m", "messages": [{"role": "user", "content": "x" * 30_000_000}]}

        head, body = split(await exchange(servers, post("/v1/chat/completions", long)))

    assert head.startswith("HTTP/1.1 400")
    assert "maximum context length" in json.loads(body)["error"]["message"]


async def test_an_old_client_gets_its_stream_without_chunks_until_the_end() -> None:
    async with simulated(config()) as servers:
        sent = post("/v1/chat/completions", {**CHAT, "stream": True})

        head, body = split(await exchange(servers, sent.replace(b"HTTP/1.1", b"HTTP/1.0")))

    assert "transfer-encoding" not in head
    assert body.startswith(b"data: ")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_head_has_the_length_and_no_body() -> None:
    async with simulated(config()) as servers:
        asked = get("/version", "connection: close").replace(b"GET", b"HEAD")

        head, body = split(await exchange(servers, asked))

    assert "content-length: 20" in head
    assert body == b""


async def test_a_client_that_waits_for_leave_to_send_gets_it() -> None:
    sent = post("/v1/chat/completions", CHAT, "expect: 100-continue")
    head, _, content = sent.partition(b"\r\n\r\n")
    async with simulated(config()) as servers, connected(servers) as (reader, writer):
        writer.write(head + b"\r\n\r\n")
        leave = await reader.readuntil(b"\r\n\r\n")
        writer.write(content)

        answer = await reader.read()

    assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x00", b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_no_http_is_refused_and_the_next_client_served(sent: bytes) -> None:
    async with simulated(config()) as servers:
        refused = await exchange(servers, sent)
        served = await exchange(servers, get("/version", "connection: close"))

    assert refused.startswith(b"HTTP/1.1 400")
    assert served.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_frees_its_place_in_the_batch(stream: bool) -> None:
    slow = {**config(seconds_per_token=60.0), "speed": 1}
    async with simulated(slow) as servers:
        batch = servers.servers["rennes"].engine.batch
        async with connected(servers) as (_, writer):
            writer.write(post("/v1/chat/completions", {**CHAT, "stream": stream}))
            await until(lambda: len(batch.running) == 1)

        await until(lambda: not batch.running)


async def test_a_client_that_does_not_read_holds_only_itself_up() -> None:
    async with simulated(config()) as servers:
        long = {"model": "m", "prompt": "x", "max_tokens": 20_000, "ignore_eos": True}
        async with connected(servers) as (reader, writer):
            writer.write(post("/v1/completions", {**long, "stream": True}))
            other = await exchange(servers, post("/v1/chat/completions", CHAT))
            everything = await reader.read()

    assert other.startswith(b"HTTP/1.1 200")
    assert everything.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_an_idle_connection_is_closed_unannounced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.simulator.http.IDLE_SECONDS", 0.01)
    async with simulated(config()) as servers, connected(servers) as (reader, writer):
        writer.write(get("/version"))

        head, body = split(await reader.read())

    assert "connection: close" not in head
    assert body == b'{"version":"0.32.0"}'


async def test_a_server_that_ends_leaves_no_task_and_no_open_connection() -> None:
    before = asyncio.all_tasks()
    slow = {**config(seconds_per_token=60.0), "speed": 1}
    async with simulated(slow) as servers:
        batch = servers.servers["rennes"].engine.batch
        address = connected(servers)
        reader, writer = await address.__aenter__()
        writer.write(post("/v1/chat/completions", CHAT))
        await until(lambda: len(batch.running) == 1)

    ended = await reader.read()
    await address.__aexit__(None, None, None)
    assert ended == b""
    assert asyncio.all_tasks() == before


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)
