"""TLS towards servers: the certificate must be of a trusted authority and for the name that was registered."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from routing.upstream.client import Client, Destination, Timeouts
from routing.upstream.egress import EgressPolicy
from routing.upstream.errors import ConnectCause, ConnectFailed, ConnectionLost
from tests.support.certificates import Authority
from tests.support.wire import (
    HOST,
    OK,
    Peer,
    Wire,
    answering,
    answering_once,
    eventually,
    serving,
    silent,
    whole,
)

NAME = "gpu.rennes.test"


async def lookup(_host: str, _port: int) -> tuple[str, ...]:
    return (HOST,)


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    client = Client(EgressPolicy(), lookup=lookup)
    yield client
    await client.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def trusting(wire: Wire, ca_bundle: str | None, host: str = NAME) -> Destination:
    return msgspec.structs.replace(wire.destination(host, scheme="https"), ca_bundle=ca_bundle)


async def test_a_trusted_server_under_its_name_is_reached(
    client: Client, authority: Authority
) -> None:
    body = bytes(range(256)) * 8_000
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with serving(answering(answer), tls=authority.server_context(NAME)) as wire:
        destination = trusting(wire, authority.pem)
        for _ in range(2):
            response = await client.request(destination, "POST", "/", body=body)
            assert await whole(response) == body
    assert len(wire.peers) == 1
    assert wire.requests[0].header(b"host") == [b"%b:%d" % (NAME.encode(), wire.port)]
    assert wire.requests[0].body == body


async def test_a_trusted_server_under_its_address_is_reached(
    client: Client, authority: Authority
) -> None:
    async with serving(answering(OK), tls=authority.server_context(HOST)) as wire:
        assert (await client.request(trusting(wire, authority.pem, HOST), "GET", "/")).status == 200


async def test_an_answer_without_a_length_ends_with_the_connection(
    client: Client, authority: Authority
) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\nhello"
    async with serving(answering_once(answer), tls=authority.server_context(NAME)) as wire:
        response = await client.request(trusting(wire, authority.pem), "GET", "/")
        assert await whole(response) == b"hello"


async def test_a_cut_answer_is_lost(client: Client, authority: Authority) -> None:
    async with serving(answering_once(OK[:-1]), tls=authority.server_context(NAME)) as wire:
        response = await client.request(trusting(wire, authority.pem), "GET", "/")
        with pytest.raises(ConnectionLost):
            await whole(response)


@pytest.mark.parametrize(
    ("shown", "lasts", "words"),
    [
        ("other.test", timedelta(days=1), "is for another name"),
        (NAME, timedelta(days=-1), "has expired"),
    ],
)
async def test_a_certificate_for_another_name_or_time_is_refused(
    client: Client, authority: Authority, shown: str, lasts: timedelta, words: str
) -> None:
    context = authority.server_context(shown, lasts=lasts)
    async with serving(answering(OK), tls=context) as wire:
        with pytest.raises(ConnectFailed, match=f"{NAME} {words}") as failed:
            await client.request(trusting(wire, authority.pem), "GET", "/")
    assert failed.value.cause is ConnectCause.TLS
    assert wire.requests == []


@pytest.mark.parametrize("bundle", ["another", "none"])
async def test_a_certificate_of_another_authority_is_refused(
    client: Client, authority: Authority, tmp_path: Path, bundle: str
) -> None:
    ca_bundle = Authority(tmp_path).pem if bundle == "another" else None
    async with serving(answering(OK), tls=authority.server_context(NAME)) as wire:
        with pytest.raises(ConnectFailed, match="authority that is not trusted") as failed:
            await client.request(trusting(wire, ca_bundle), "GET", "/")
    assert failed.value.cause is ConnectCause.TLS


async def test_authorities_that_are_no_certificates_are_told(
    client: Client, authority: Authority
) -> None:
    async with serving(answering(OK), tls=authority.server_context(NAME)) as wire:
        with pytest.raises(ConnectFailed, match="no PEM certificates"):
            await client.request(trusting(wire, "nonsense é"), "GET", "/")


async def test_comments_between_certificates_may_be_french(
    client: Client, authority: Authority, tmp_path: Path
) -> None:
    bundle = f"# Autorité\n{Authority(tmp_path, 'Other').pem}# L’autre, oubliée\n{authority.pem}"
    async with serving(answering(OK), tls=authority.server_context(NAME)) as wire:
        assert (await client.request(trusting(wire, bundle), "GET", "/")).status == 200


async def test_a_server_without_tls_is_told(client: Client, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.until_hung_up()

    async with serving(script) as wire:
        with pytest.raises(ConnectFailed, match="does not speak TLS") as failed:
            await client.request(trusting(wire, authority.pem), "GET", "/")
    assert failed.value.cause is ConnectCause.TLS


async def test_a_hang_up_in_the_handshake_is_told(client: Client, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.reset()

    async with serving(script) as wire:
        with pytest.raises(ConnectFailed) as failed:
            await client.request(trusting(wire, authority.pem), "GET", "/")
    assert failed.value.cause is ConnectCause.TLS


async def test_a_handshake_that_stalls_is_given_up(client: Client, authority: Authority) -> None:
    async with serving(silent) as wire:
        with pytest.raises(ConnectFailed) as failed:
            await client.request(
                trusting(wire, authority.pem), "GET", "/", timeouts=Timeouts(connect=0.2)
            )
        await eventually(lambda: not wire.open, "the hang-up")
    assert failed.value.cause is ConnectCause.TIMEOUT


async def test_an_aborted_answer_hangs_up(client: Client, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await peer.until_hung_up()

    async with serving(script, tls=authority.server_context(NAME)) as wire:
        response = await client.request(trusting(wire, authority.pem), "GET", "/")
        response.abort()
        await eventually(lambda: not wire.open, "the hang-up")


async def test_a_reader_that_stops_holds_the_server_back(
    client: Client, authority: Authority
) -> None:
    size = 40_000_000
    sent = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            await peer.send(b"x" * 100_000)
        sent.set()

    async with serving(script, tls=authority.server_context(NAME)) as wire:
        response = await client.request(trusting(wire, authority.pem), "GET", "/")
        read = 0
        while data := await response.read():
            read += len(data)
            await asyncio.sleep(0)
            assert response.pending_bytes < 2_000_000
            if read < size / 4:
                assert not sent.is_set()
    assert read == size


async def test_another_authority_needs_another_connection(
    client: Client, authority: Authority, tmp_path: Path
) -> None:
    """What was trusted under one bundle is not trusted under the next one."""
    async with serving(answering(OK), tls=authority.server_context(NAME)) as wire:
        await whole(await client.request(trusting(wire, authority.pem), "GET", "/"))
        with pytest.raises(ConnectFailed):
            await client.request(trusting(wire, Authority(tmp_path).pem), "GET", "/")
