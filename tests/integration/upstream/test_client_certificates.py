"""A server that asks who the router is: shown the right certificate it answers, by every way that leads there."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from cryptography.fernet import Fernet

from routing.core.conformity import Check, ConformityJob, Declaration, Finding, RunKind
from routing.core.enums import ServerState
from routing.core.table import Server
from routing.upstream.client import Client, Destination
from routing.upstream.conformity.run import examine
from routing.upstream.credentials import Secret, load_keys, seal
from routing.upstream.egress import EgressPolicy
from routing.upstream.errors import ConnectFailed, UpstreamError
from routing.upstream.guarded import fetch, guarded_client
from routing.upstream.tls import Identity, context_for
from tests.support.certificates import Authority
from tests.support.wire import HOST, OK, Wire, answering, serving, whole

SERVER = Server(
    id="7",
    name="gpu",
    institution_id="1",
    institution="Rennes",
    site="3",
    engine="vllm",
    base_url="",
    state=ServerState.SUBMITTED,
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def asking(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return what a server shows that lets in only whom its authority knows."""
    context = authority.server_context(HOST)
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    return context


def way(wire: Wire, authority: Authority, identity: Identity | None) -> Destination:
    return msgspec.structs.replace(
        wire.destination(scheme="https"), ca_bundle=authority.pem, identity=identity
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_relay_and_httpx_show_the_certificate(
    client: Client, authority: Authority, version: ssl.TLSVersion
) -> None:
    identity = authority.identity("router.ilaas.test")
    async with (
        serving(answering(OK), tls=asking(authority, version)) as wire,
        guarded_client(EgressPolicy()) as http,
    ):
        destination = way(wire, authority, identity)
        assert await whole(await client.request(destination, "GET", "/")) == b"ok"
        fetched = await fetch(
            http,
            destination.target.url,
            grants=destination.grants,
            ca_bundle=authority.pem,
            identity=identity,
        )
        assert fetched.body == b"ok"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "another authority’s"])
async def test_without_the_right_certificate_nothing_is_asked(
    client: Client, authority: Authority, tmp_path: Path, version: ssl.TLSVersion, shown: str
) -> None:
    other = Authority(tmp_path, "Other").identity("router.ilaas.test")
    async with serving(answering(OK), tls=asking(authority, version)) as wire:
        destination = way(wire, authority, None if shown == "none" else other)
        with pytest.raises(UpstreamError):
            await client.request(destination, "GET", "/")
    assert wire.requests == []


async def test_a_connection_of_one_certificate_serves_no_request_without_it(
    client: Client, authority: Authority
) -> None:
    context = asking(authority, ssl.TLSVersion.TLSv1_3)
    async with serving(answering(OK), tls=context) as wire:
        shown = way(wire, authority, authority.identity("router.ilaas.test"))
        await whole(await client.request(shown, "GET", "/"))
        with pytest.raises(UpstreamError):
            await client.request(way(wire, authority, None), "GET", "/")
    assert len(wire.requests) == 1


async def test_a_report_says_that_the_server_asks_for_a_certificate(
    client: Client, authority: Authority
) -> None:
    """With TLS 1.3 the complaint follows the handshake, and may be lost behind our first request: then it is a cut."""
    (keys, identity) = (load_keys("A" * 43 + "="), authority.identity("router.ilaas.test"))
    with complaining(asking(authority, ssl.TLSVersion.TLSv1_2)) as port:
        server = msgspec.structs.replace(
            SERVER,
            base_url=f"https://{HOST}:{port}",
            ca_bundle=authority.pem,
            grants=((HOST, port),),
        )
        shown = msgspec.structs.replace(
            server, client_chain=identity.chain, client_key=seal("7", identity.key, keys)
        )
        assert await found(client, server, keys) is Finding.WANTS_CERTIFICATE
        assert await found(client, shown, keys) is Finding.ENCRYPTED


async def found(client: Client, server: Server, keys: tuple[Fernet, ...]) -> Finding:
    """Return what a report says of the encryption."""
    job = ConformityJob(
        run_id="1",
        attempt=1,
        kind=RunKind.CONFORMITY,
        server=server,
        declared=Declaration(served_name="m"),
    )
    async with aclosing(examine(job, client, keys)) as lines:
        return next(iter([line.finding async for line in lines if line.check is Check.TLS]))


@contextmanager
def complaining(context: ssl.SSLContext) -> Iterator[int]:
    """Serve in a thread, as a server on OpenSSL does: it says why it ends a handshake, which asyncio's do not."""
    listener = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with plain, suppress(OSError):
                try:
                    with context.wrap_socket(plain, server_side=True) as peer:
                        peer.recv(65536)
                        peer.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                except ssl.SSLError:
                    plain.shutdown(socket.SHUT_WR)
                    while plain.recv(65536):
                        pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


async def test_a_key_that_is_none_is_told_and_leaves_no_file(
    client: Client, authority: Authority
) -> None:
    bad = Identity(authority.identity("router.ilaas.test").chain, Secret("no key"))
    before = set(os.listdir("/proc/self/fd"))
    async with serving(answering(OK), tls=asking(authority, ssl.TLSVersion.TLSv1_3)) as wire:
        with pytest.raises(ConnectFailed, match="cannot be used"):
            await client.request(way(wire, authority, bad), "GET", "/")
    with pytest.raises(ConnectFailed):
        context_for(None, bad)
    assert not any("memfd" in str(Path(f"/proc/self/fd/{n}").resolve()) for n in opened(before))


def opened(before: set[str]) -> set[str]:
    """Return the descriptors that were not open before."""
    return set(os.listdir("/proc/self/fd")) - before


def test_a_context_is_made_once_for_the_same_trust_and_identity(authority: Authority) -> None:
    identity = authority.identity("router.ilaas.test")
    again = Identity(identity.chain, Secret(identity.key.reveal()))

    assert context_for(authority.pem, identity) is context_for(authority.pem, again)
    assert context_for(authority.pem, identity) is not context_for(authority.pem)


async def test_a_way_that_is_withdrawn_keeps_no_connection(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        destination = wire.destination()
        await whole(await client.request(destination, "GET", "/"))
        assert wire.open == 1

        client.forget(destination)
        async with asyncio.timeout(10):
            while wire.open:
                await asyncio.sleep(0.005)

        await whole(await client.request(destination, "GET", "/"))
        await whole(await client.request(destination, "GET", "/"))
    assert len(wire.peers) == 2


async def test_an_answer_under_way_is_finished_after_its_way_is_withdrawn(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        destination = wire.destination()
        response = await client.request(destination, "GET", "/")
        client.forget(destination)
        assert await whole(response) == b"ok"
        async with asyncio.timeout(10):
            while wire.open:
                await asyncio.sleep(0.005)
