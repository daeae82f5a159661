"""What httpx asks passes the same guard; and no answer is followed, unpacked or taken beyond its limit."""

import gzip
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from routing.upstream.egress import EgressPolicy, Grants
from routing.upstream.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectCause,
    ConnectFailed,
    ConnectionLost,
    EgressRefused,
    HeadTimeout,
    RefusalReason,
)
from routing.upstream.guarded import fetch, guarded_client
from tests.support.certificates import Authority
from tests.support.wire import HOST, OK, Wire, answering, answering_once, serving, silent

NAME = "gpu.rennes.test"
OTHER = "127.0.0.2"


async def lookup(host: str, _port: int) -> tuple[str, ...]:
    return {"two.test": (OTHER, HOST), "bad.test": (HOST, "10.0.0.1")}.get(host, (HOST,))


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with guarded_client(EgressPolicy(), lookup) as http:
        yield http


def granted(wire: Wire) -> Grants:
    return ((HOST, wire.port), (OTHER, wire.port))


async def test_an_answer_is_fetched_whole(http: httpx.AsyncClient) -> None:
    answer = b"HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno"
    async with serving(answering(answer)) as wire:
        url = f"http://{NAME}:{wire.port}/a/b?c=d"
        fetched = await fetch(
            http, url, method="POST", headers={"x": "y"}, content=b"in", grants=granted(wire)
        )
    assert (fetched.status, fetched.content_type, fetched.body) == (404, "text/plain", b"no")
    request = wire.requests[0]
    assert (request.line, request.body) == (b"POST /a/b?c=d HTTP/1.1", b"in")
    assert request.header(b"host") == [b"%b:%d" % (NAME.encode(), wire.port)]
    assert request.header(b"accept-encoding") == [b"identity"]
    assert request.header(b"x") == [b"y"]


async def test_nothing_is_reached_without_leave(http: httpx.AsyncClient) -> None:
    async with serving(answering(OK)) as wire:
        for host in (NAME, HOST, "[::ffff:127.0.0.1]", "[::1]"):
            with pytest.raises(EgressRefused) as refused:
                await fetch(http, f"http://{host}:{wire.port}/")
            assert refused.value.reason is RefusalReason.LOOPBACK
        with pytest.raises(EgressRefused):
            await fetch(http, f"http://bad.test:{wire.port}/", grants=granted(wire))
        with pytest.raises(EgressRefused):
            await http.get(f"http://{NAME}:{wire.port}/")
    assert wire.peers == []


async def test_each_request_is_checked_anew() -> None:
    answers = [(HOST,), (OTHER,)]

    async def fickle(_host: str, _port: int) -> tuple[str, ...]:
        return answers.pop(0)

    async with serving(answering(OK)) as wire, guarded_client(EgressPolicy(), fickle) as http:
        url, grants = f"http://{NAME}:{wire.port}/", ((HOST, wire.port),)
        assert (await fetch(http, url, grants=grants)).body == b"ok"
        with pytest.raises(EgressRefused):
            await fetch(http, url, grants=grants)


async def test_no_proxy_of_the_environment_is_asked(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(answering(OK)) as proxy, serving(answering(OK)) as wire:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
        async with guarded_client(EgressPolicy(), lookup) as fresh:
            await fetch(fresh, f"http://{NAME}:{wire.port}/", grants=granted(wire))
    assert proxy.peers == []
    assert len(wire.requests) == 1


async def test_a_redirect_is_not_followed(http: httpx.AsyncClient) -> None:
    async with serving(answering(OK)) as elsewhere:
        answer = (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n"
            % elsewhere.port
        )
        async with serving(answering(answer)) as wire:
            grants = granted(wire) + granted(elsewhere)
            fetched = await fetch(http, f"http://{NAME}:{wire.port}/", grants=grants)
    assert fetched.status == 302
    assert elsewhere.peers == []


async def test_the_next_address_is_tried(http: httpx.AsyncClient) -> None:
    async with serving(answering(OK)) as wire:
        url = f"http://two.test:{wire.port}/"
        assert (await fetch(http, url, grants=granted(wire))).body == b"ok"


async def test_an_answer_beyond_the_limit_is_not_taken(http: httpx.AsyncClient) -> None:
    body = b"x" * 100_000
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + body
    async with serving(answering(answer)) as wire:
        url, grants = f"http://{NAME}:{wire.port}/", granted(wire)
        assert (await fetch(http, url, grants=grants, limit=100_000)).body == body
        with pytest.raises(BodyTooLarge):
            await fetch(http, url, grants=grants, limit=99_999)


async def test_an_answer_is_never_unpacked(http: httpx.AsyncClient) -> None:
    packed = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with serving(answering(head + packed)) as wire:
        with pytest.raises(BadResponse):
            await fetch(http, f"http://{NAME}:{wire.port}/", grants=granted(wire))


async def test_silence_garbage_and_hang_ups_are_told_apart(http: httpx.AsyncClient) -> None:
    async with serving(silent) as wire:
        with pytest.raises(HeadTimeout):
            await fetch(http, f"http://{NAME}:{wire.port}/", grants=granted(wire), seconds=0.1)
    async with serving(answering_once(b"<html>")) as wire:
        with pytest.raises(BadResponse):
            await fetch(http, f"http://{NAME}:{wire.port}/", grants=granted(wire))
    async with serving(lambda peer: peer.reset()) as wire:
        with pytest.raises(ConnectionLost):
            await fetch(http, f"http://{NAME}:{wire.port}/", grants=granted(wire))
    with pytest.raises(ConnectFailed, match="refuses connections") as failed:
        await fetch(http, f"http://{NAME}:{wire.port}/", grants=granted(wire))
    assert failed.value.cause is ConnectCause.REFUSED


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "ftp://host/",
        "http://",
        "http://a b/",
        "http://h:x/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0177.0.0.1/",
    ],
)
async def test_what_is_no_address_is_refused(http: httpx.AsyncClient, url: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        await fetch(http, url)
    assert refused.value.reason is RefusalReason.BAD_URL


async def test_certificates_are_checked_for_the_name(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with serving(answering(OK), tls=authority.server_context(NAME)) as wire:
        grants = granted(wire)
        good, other = (f"https://{name}:{wire.port}/" for name in (NAME, "other.test"))
        assert (await fetch(http, good, grants=grants, ca_bundle=authority.pem)).body == b"ok"
        with pytest.raises(ConnectFailed, match="not trusted"):
            await fetch(http, good, grants=grants)
        with pytest.raises(ConnectFailed, match="another name") as failed:
            await fetch(http, other, grants=grants, ca_bundle=authority.pem)
    assert failed.value.cause is ConnectCause.TLS
