"""Connections serve again when they can, end when they must, and wait no longer than they may."""

import asyncio
import gc
import socket
from pathlib import Path

import pytest

from routing.upstream import connection
from routing.upstream.client import Client, Destination, Timeouts
from routing.upstream.connection import HIGH_WATER
from routing.upstream.credentials import Secret
from routing.upstream.egress import EgressPolicy, Target
from routing.upstream.errors import (
    BadResponse,
    ConnectCause,
    ConnectFailed,
    ConnectionLost,
    HeadTimeout,
)
from tests.support.wire import (
    HOST,
    OK,
    Peer,
    answering,
    answering_each,
    answering_once,
    eventually,
    serving,
    silent,
    whole,
)

ONE_READ = 256 * 1024
"""What an event loop may bring at once."""
PART = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_connection_serves_again_after_a_whole_answer(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        for _ in range(5):
            assert await whole(await client.request(wire.destination(), "POST", "/", body=b"x"))
    assert len(wire.peers) == 1
    assert len(wire.requests) == 5


async def test_requests_at_once_have_a_connection_each(client: Client) -> None:
    both = asyncio.Barrier(2)

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await both.wait()
            await peer.send(OK)

    async with serving(script) as wire:
        ask = (client.request(wire.destination(), "GET", "/") for _ in range(2))
        assert [await whole(answer) for answer in await asyncio.gather(*ask)] == [b"ok", b"ok"]
    assert len(wire.peers) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"surplus",
        OK + OK,
        OK + b"HTTP/1.1 500 Late\r\ncontent-length: 0\r\n\r\n",
    ],
)
async def test_a_connection_does_not_serve_again_after(client: Client, answer: bytes) -> None:
    async with serving(answering(answer)) as wire:
        for _ in range(2):
            response = await client.request(wire.destination(), "GET", "/")
            assert (response.status, await whole(response)) == (200, b"ok")
    assert len(wire.peers) == 2


async def test_an_old_server_that_keeps_alive_serves_again(client: Client) -> None:
    answer = b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok"
    async with serving(answering(answer)) as wire:
        for _ in range(2):
            await whole(await client.request(wire.destination(), "GET", "/"))
    assert len(wire.peers) == 1


async def test_a_server_that_speaks_unasked_is_hung_up_on(client: Client) -> None:
    speak, dropped = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        if await peer.request() is not None:
            await peer.send(OK)
            await speak.wait()
            await peer.send(OK)
            await peer.until_hung_up()
            dropped.set()

    async with serving(script) as wire:
        await whole(await client.request(wire.destination(), "GET", "/"))
        speak.set()
        await asyncio.wait_for(dropped.wait(), 20)


async def test_a_stale_connection_is_replaced_without_a_word(client: Client) -> None:
    """The server closes each connection upon the second request, as if it had been idle for too long."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    async with serving(script) as wire:
        for number in range(3):
            response = await client.request(wire.destination(), "POST", "/", body=b"%d" % number)
            assert await whole(response) == b"ok"
    assert [[request.body for request in peer.requests] for peer in wire.peers] == [
        [b"0", b"1"],
        [b"1", b"2"],
        [b"2"],
    ]


async def test_a_request_that_got_a_byte_of_an_answer_is_not_sent_again(client: Client) -> None:
    async with serving(answering_each(OK, b"H")) as wire:
        await whole(await client.request(wire.destination(), "GET", "/"))
        with pytest.raises(ConnectionLost) as lost:
            await client.request(wire.destination(), "GET", "/")
    assert lost.value.bytes_received == 1
    assert len(wire.peers) == 1


async def test_a_request_that_was_worked_on_for_long_is_not_sent_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the very request that ends the server."""
    monkeypatch.setattr(connection, "EARLY_S", -1.0)
    async with serving(answering_each(OK, b"")) as wire:
        await whole(await client.request(wire.destination(), "GET", "/"))
        with pytest.raises(ConnectionLost):
            await client.request(wire.destination(), "GET", "/")
    assert len(wire.peers) == 1


async def test_a_request_that_a_new_connection_loses_is_not_sent_again(client: Client) -> None:
    async with serving(answering_once()) as wire:
        with pytest.raises(ConnectionLost) as lost:
            await client.request(wire.destination(), "GET", "/")
    assert lost.value.bytes_received == 0
    assert len(wire.peers) == 1


async def test_a_reset_is_a_loss_even_where_an_end_would_be_the_end(client: Client) -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await read.wait()
        await peer.reset()

    async with serving(script) as wire:
        response = await client.request(wire.destination(), "POST", "/")
        assert await response.read() == b"hello"
        read.set()
        with pytest.raises(ConnectionLost):
            await response.read()


async def test_cancelling_a_request_hangs_up(client: Client) -> None:
    hung_up = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.until_hung_up()
        hung_up.set()

    async with serving(script) as wire:
        task = asyncio.create_task(client.request(wire.destination(), "POST", "/", body=b"x"))
        await eventually(lambda: wire.requests, "the request")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(hung_up.wait(), 20)


async def test_aborting_an_answer_hangs_up_and_ends_its_reader(client: Client) -> None:
    hung_up = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"2\r\nhi\r\n")
        await peer.until_hung_up()
        hung_up.set()

    async with serving(script) as wire:
        response = await client.request(wire.destination(), "POST", "/")
        assert await response.read() == b"hi"
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        response.abort()
        response.abort()
        with pytest.raises(ConnectionLost):
            await reading
        await asyncio.wait_for(hung_up.wait(), 20)


async def test_aborting_a_whole_answer_costs_nothing(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        for _ in range(3):
            response = await client.request(wire.destination(), "GET", "/")
            assert await response.read() == b"ok"
            response.abort()
            assert await response.read() == b""
    assert len(wire.peers) == 1


async def test_a_reader_that_stops_holds_the_server_back(client: Client) -> None:
    parts = 1000
    done = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(parts):
            await peer.send(PART)
        await peer.send(b"0\r\n\r\n")
        done.set()
        await peer.until_hung_up()

    async with serving(script) as wire:
        response = await client.request(wire.destination(), "GET", "/")
        await eventually(lambda: response.pending_bytes > HIGH_WATER, "the first bytes")
        size = 0
        while data := await response.read():
            size += len(data)
            for _ in range(5):
                await asyncio.sleep(0)
                assert response.pending_bytes <= HIGH_WATER + ONE_READ
            if size < parts * 0x10000 / 2:
                assert not done.is_set()
    assert size == parts * 0x10000


async def test_a_large_request_reaches_a_slow_reader(client: Client) -> None:
    body = b"0123456789abcdef" * 400_000
    async with serving(answering(OK)) as wire:
        response = await client.request(wire.destination(), "POST", "/", body=body)
        assert await whole(response) == b"ok"
        assert await whole(await client.request(wire.destination(), "POST", "/", body=b"")) == b"ok"
    assert [request.body for request in wire.requests] == [body, b""]
    assert len(wire.peers) == 1


async def test_an_answer_before_the_request_is_sent_counts_and_ends_the_connection(
    client: Client,
) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    async def script(peer: Peer) -> None:
        await peer.send(refusal)
        await asyncio.Event().wait()  # and never reads

    async with serving(script) as wire:
        response = await client.request(wire.destination(), "POST", "/", body=b"x" * 50_000_000)
        assert response.status == 413
        assert await whole(response) == b"no"
        await whole(await client.request(wire.destination(), "GET", "/"))
    assert len(wire.peers) == 2


SHORT = Timeouts(connect=0.2, head=0.2, idle=0.2)


async def test_a_silent_server_is_given_up(client: Client) -> None:
    async with serving(silent) as wire:
        with pytest.raises(HeadTimeout):
            await client.request(wire.destination(), "GET", "/", timeouts=SHORT)
        await eventually(lambda: not wire.open, "the hang-up")


async def test_a_server_that_takes_no_request_is_given_up(client: Client) -> None:
    async def script(_peer: Peer) -> None:
        await asyncio.Event().wait()

    patient = Timeouts(connect=5, head=600, idle=0.2)
    async with serving(script) as wire:
        with pytest.raises(HeadTimeout):
            await client.request(
                wire.destination(), "POST", "/", body=b"x" * 50_000_000, timeouts=patient
            )


async def test_a_server_that_takes_a_request_slowly_is_waited_for(client: Client) -> None:
    parts, size = 40, 1_000_000

    async def script(peer: Peer) -> None:
        for _ in range(parts):
            await peer.take(size)
            await asyncio.sleep(0.07)  # all of it takes longer than `idle`, no part does
        await peer.send(OK)
        await peer.until_hung_up()

    patient = Timeouts(connect=5, head=600, idle=0.5)
    async with serving(script) as wire:
        body = b"x" * parts * size
        response = await client.request(
            wire.destination(), "POST", "/", body=body, timeouts=patient
        )
        assert await whole(response) == b"ok"


async def test_a_body_that_stalls_is_given_up_after_what_came(client: Client) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"2\r\nhi\r\n")
        await peer.until_hung_up()

    patient = Timeouts(connect=5, head=600, idle=0.2)
    async with serving(script) as wire:
        response = await client.request(wire.destination(), "GET", "/", timeouts=patient)
        assert await response.read() == b"hi"
        with pytest.raises(HeadTimeout):
            await response.read()


async def test_silence_that_a_reader_causes_is_not_the_servers(client: Client) -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"2\r\nhi\r\n")
        await read.wait()
        for _ in range(200):
            await peer.send(PART)
        await peer.send(b"0\r\n\r\n")

    patient = Timeouts(connect=5, head=600, idle=0.05)
    async with serving(script) as wire:
        response = await client.request(wire.destination(), "GET", "/", timeouts=patient)
        assert await response.read() == b"hi"
        read.set()
        await eventually(lambda: response.pending_bytes > HIGH_WATER, "more than is borne")
        await asyncio.sleep(1)  # longer than `idle` and two looks
        assert len(await whole(response)) == 200 * 0x10000


async def test_a_server_that_accepts_nobody_is_given_up(client: Client) -> None:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        with socket.create_connection((HOST, port)), _another(HOST, port):
            destination = Destination(target=Target("http", HOST, port), grants=((HOST, port),))
            with pytest.raises(ConnectFailed, match=f"{HOST} port {port} did not answer") as failed:
                await client.request(destination, "GET", "/", timeouts=SHORT)
    assert failed.value.cause is ConnectCause.TIMEOUT


def _another(host: str, port: int) -> socket.socket:
    """Start a connection that will wait for ever, so that there is no room for the next."""
    waiting = socket.socket()
    waiting.setblocking(False)
    waiting.connect_ex((host, port))
    return waiting


async def test_a_closed_port_is_told(client: Client) -> None:
    async with serving(silent) as wire:
        pass
    with pytest.raises(ConnectFailed, match="refuses connections") as failed:
        await client.request(wire.destination(), "GET", "/")
    assert failed.value.cause is ConnectCause.REFUSED


async def test_the_head_is_ours_and_the_rest_the_callers(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        destination = Destination(
            target=Target("http", HOST, wire.port, "/prefix"),
            grants=((HOST, wire.port),),
            token=Secret("s3cret"),
        )
        headers = [(b"content-type", b"application/json"), (b"x-kind", b"a b")]
        await client.request(destination, "POST", "/v1/x?y=1", headers, b"{}")
        await client.request(destination, "GET", "/", [(b"accept-encoding", b"gzip")])
    asked, other = wire.requests
    assert asked.head.split(b"\r\n") == [
        b"POST /prefix/v1/x?y=1 HTTP/1.1",
        b"host: 127.0.0.1:%d" % wire.port,
        b"authorization: Bearer s3cret",
        b"content-type: application/json",
        b"x-kind: a b",
        b"accept-encoding: identity",
        b"content-length: 2",
    ]
    assert asked.body == b"{}"
    assert other.header(b"accept-encoding") == [b"gzip"]
    assert other.header(b"content-length") == []


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/a b", ()),
        ("GET", "/a\r\nx: y", ()),
        ("GET", "/é", ()),
        ("GET", "v1", ()),
        ("GET /", "/", ()),
        ("GET", "/", [(b"x", b"y\r\nz: 1")]),
        ("GET", "/", [(b"x", b"y\nz: 1")]),
        ("GET", "/", [(b"x\r", b"y")]),
    ],
)
async def test_what_would_break_the_framing_is_not_sent(
    client: Client, method: str, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    async with serving(answering(OK)) as wire:
        with pytest.raises(ValueError, match="break"):
            await client.request(wire.destination(), method, path, headers)
    assert wire.peers == []


async def test_a_unix_socket_is_reached_without_leave(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "s"
    destination = Destination(target=Target("http", "portal", 80), unix_path=str(path))
    async with serving(answering(OK), path=path) as wire:
        for _ in range(2):
            assert await whole(await client.request(destination, "GET", "/")) == b"ok"
    assert wire.requests[0].header(b"host") == [b"portal"]
    assert len(wire.peers) == 1


async def test_a_form_is_sent_to_the_portal_once_whatever_becomes_of_it(
    client: Client, tmp_path: Path
) -> None:
    """Nor is it lost to a connection that the portal closes at this moment: it gets one of its own."""
    path = tmp_path / "s"
    destination = Destination(target=Target("http", "portal", 80), unix_path=str(path))
    async with serving(answering_each(OK, b""), path=path) as wire:
        for method in ("GET", "POST"):
            assert await whole(await client.request(destination, method, "/")) == b"ok"
    assert [[request.line for request in peer.requests] for peer in wire.peers] == [
        [b"GET / HTTP/1.1"],
        [b"POST / HTTP/1.1"],
    ]


async def test_a_unix_socket_without_a_listener_is_told(client: Client, tmp_path: Path) -> None:
    destination = Destination(target=Target("http", "portal", 80), unix_path=str(tmp_path / "no"))
    with pytest.raises(ConnectFailed) as failed:
        await client.request(destination, "GET", "/")
    assert failed.value.cause is ConnectCause.REFUSED


async def test_only_so_many_connections_wait_for_one_target() -> None:
    client = Client(EgressPolicy(), max_idle_per_target=1)
    together = asyncio.Barrier(3)

    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await together.wait()
            await peer.send(OK)
            await peer.until_hung_up()

    async with serving(script) as wire:
        ask = (client.request(wire.destination(), "GET", "/") for _ in range(3))
        for answer in await asyncio.gather(*ask):
            await whole(answer)
        await eventually(lambda: wire.open == 1, "two hang-ups")
        await client.close()


async def test_closing_the_client_ends_what_runs_and_what_waits(client: Client) -> None:
    async with serving(answering(OK)) as quick, serving(silent) as slow:
        await whole(await client.request(quick.destination(), "GET", "/"))
        running = asyncio.create_task(client.request(slow.destination(), "GET", "/"))
        await eventually(lambda: slow.requests, "the request")
        await client.close()
        with pytest.raises(ConnectionLost):
            await running
        await eventually(lambda: not quick.open + slow.open, "the hang-ups")
        with pytest.raises(ConnectFailed, match="stopping"):
            await client.request(quick.destination(), "GET", "/")


async def test_an_exchange_leaves_no_garbage_behind(client: Client) -> None:
    """Cycles would wait for the collector, which stops the whole router while it looks for them."""
    async with serving(answering(OK)) as wire:
        await whole(await client.request(wire.destination(), "GET", "/"))
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                await whole(await client.request(wire.destination(), "GET", "/"))
            assert not [kind for kind in _collected() if kind in ("Response", "Framing")]
        finally:
            gc.enable()


def _collected() -> list[str]:
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [type(thing).__name__ for thing in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


async def test_a_bad_answer_costs_the_connection(client: Client) -> None:
    async with serving(answering(b"nonsense\r\n\r\n")) as wire:
        for _ in range(2):
            with pytest.raises(BadResponse):
                await client.request(wire.destination(), "GET", "/")
    assert len(wire.peers) == 2
