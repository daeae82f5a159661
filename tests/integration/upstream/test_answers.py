"""Answers arrive whole or not at all, whatever their framing and wherever they are cut."""

import pytest

from routing.upstream.client import Client
from routing.upstream.errors import BadResponse, ConnectionLost, UpstreamError
from tests.support.wire import OK, answering, answering_once, serving, whole

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 11\r\n\r\nhello world"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"6\r\nhello \r\n5;ext=1\r\nworld\r\n0\r\nx-trailer: 1\r\n\r\n"
)
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\nx: y\r\n\r\nhello world"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + LENGTH
BODY = b"hello world"


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, UNTIL_CLOSE, INTERIM])
async def test_every_framing_brings_the_same_body(client: Client, answer: bytes) -> None:
    async with serving(answering_once(answer)) as wire:
        response = await client.request(wire.destination(), "GET", "/")
        assert response.status == 200
        assert await whole(response) == BODY
        assert await response.read() == b""


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, UNTIL_CLOSE, INTERIM])
async def test_an_answer_in_single_bytes_is_the_same(client: Client, answer: bytes) -> None:
    parts = [bytes([byte]) for byte in answer]
    async with serving(answering_once(*parts)) as wire:
        response = await client.request(wire.destination(), "GET", "/")
        assert await whole(response) == BODY


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, INTERIM])
async def test_an_answer_cut_at_any_byte_is_lost_and_never_short(
    client: Client, answer: bytes
) -> None:
    for end in range(len(answer)):
        async with serving(answering_once(answer[:end])) as wire:
            with pytest.raises(ConnectionLost):
                await whole(await client.request(wire.destination(), "GET", "/"))


async def test_what_came_before_the_cut_can_be_read(client: Client) -> None:
    async with serving(answering_once(LENGTH[:-5])) as wire:
        response = await client.request(wire.destination(), "GET", "/")
        assert await response.read() == b"hello "
        with pytest.raises(ConnectionLost) as lost:
            await response.read()
        assert lost.value.bytes_received == len(LENGTH) - 5


async def test_headers_are_lower_case_and_those_of_the_connection_left_out(client: Client) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nX-Kind: a\r\nX-Kind: b\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
        b"Connection: keep-alive, X-Hop\r\nContent-Length: 0\r\n\r\n"
    )
    async with serving(answering(answer)) as wire:
        response = await client.request(wire.destination(), "GET", "/")
    assert response.headers == ((b"x-kind", b"a"), (b"x-kind", b"b"), (b"content-length", b"0"))
    assert response.header(b"x-kind") == b"a"
    assert response.header(b"x-hop") is None


async def test_what_an_interim_answer_says_is_not_the_answers(client: Client) -> None:
    async with serving(answering(INTERIM)) as wire:
        response = await client.request(wire.destination(), "GET", "/")
    assert response.headers == ((b"content-type", b"text/plain"), (b"content-length", b"11"))


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 900\r\n\r\n"),
    ],
)
async def test_some_answers_have_no_body_whatever_their_head_says(
    client: Client, method: str, answer: bytes
) -> None:
    async with serving(answering(answer, OK)) as wire:
        response = await client.request(wire.destination(), method, "/")
        assert await response.read() == b""
        assert await whole(await client.request(wire.destination(), "GET", "/")) == b"ok"
        assert len(wire.peers) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(client: Client, status: int) -> None:
    async with serving(answering(OK)) as elsewhere:
        location = b"location: http://127.0.0.1:%d/\r\n" % elsewhere.port
        answer = b"HTTP/1.1 %d Moved\r\n%bcontent-length: 0\r\n\r\n" % (status, location)
        async with serving(answering(answer)) as wire:
            response = await client.request(wire.destination(), "POST", "/", body=b"{}")
        assert response.status == status
        assert elsewhere.peers == []


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>hello</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnothex\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx y: a\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300 + b"content-length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
    ],
)
async def test_what_is_no_answer_in_http_is_a_bad_response(client: Client, answer: bytes) -> None:
    async with serving(answering_once(answer)) as wire:
        with pytest.raises(BadResponse) as bad:
            await whole(await client.request(wire.destination(), "GET", "/"))
    assert not any(word in str(bad.value) for word in ("html", "SSH", "abc"))


@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 200 OK\r\nx: ",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
    ],
)
async def test_a_head_or_trailer_without_an_end_is_given_up(client: Client, endless: bytes) -> None:
    async with serving(answering_once(endless, *[b"a" * 10_000] * 100)) as wire:
        with pytest.raises(UpstreamError) as error:
            await whole(await client.request(wire.destination(), "GET", "/"))
    assert type(error.value) is BadResponse


async def test_a_large_body_comes_whole(client: Client) -> None:
    body = bytes(range(256)) * 40_000
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with serving(answering(answer)) as wire:
        response = await client.request(wire.destination(), "GET", "/")
        assert await whole(response) == body
