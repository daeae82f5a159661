"""Thousands of hostile addresses, by every way that leads out, reach nothing that was not granted.

The ways: what a form stores, the relay's client, httpx behind the guard, the probe, and a conformity run. Listeners on
this machine and a spy in the event loop say what was reached; a granted address is, so that the test can fail.
"""

import asyncio
import contextlib
import ipaddress
import socket
import string
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.fleet.operations.servers import canonical_url
from routing.core.conformity import ConformityJob, Declaration, RunKind, Verdict
from routing.core.enums import ServerState
from routing.core.table import Server
from routing.upstream.client import Client, Timeouts
from routing.upstream.conformity.run import examine
from routing.upstream.destinations import destination_of
from routing.upstream.egress import EgressPolicy, Grants
from routing.upstream.errors import EgressRefused, UpstreamError
from routing.upstream.guarded import fetch, guarded_client
from routing.upstream.ports import DEFAULT
from routing.upstream.probe import probe
from routing.upstream.resolving import unknown
from tests.support.canaries import GRANTED_HOST, LOOPS, SPY, Canaries, canaries
from tests.support.hostile import METADATA, NAMES, hostile_urls

AT_LEAST = 2_000
SECONDS = 2.0
REDIRECTS = (301, 302, 303, 307, 308)
SERVER = Server(
    id="7",
    name="gpu",
    institution_id="1",
    institution="Intruder",
    site="3",
    engine="openai",
    base_url="",
    state=ServerState.LIVE,
)


class HostileNames:
    """A resolver in an intruder's hands. What is no name of its own it reads as loosely as a C library does."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    async def __call__(self, host: str, _port: int) -> tuple[str, ...]:
        answers = NAMES.get(host.lower())
        if answers is None:
            return _as_a_library_reads(host)
        self._asked[host] += 1
        return answers[min(self._asked[host], len(answers)) - 1]


def _as_a_library_reads(host: str) -> tuple[str, ...]:
    """Return what `inet_aton` and its like make of a text: `127.1`, `0x7f000001`, `2130706433`."""
    try:
        found = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError, ValueError):
        raise unknown(host) from None
    return tuple(str(address[0]) for *_rest, address in found)


class Ways:
    """Everything that leads out of the router, towards an address that an intruder has given."""

    def __init__(self, client: Client, http: httpx.AsyncClient, names: HostileNames) -> None:
        self.client, self.http, self.names = client, http, names

    async def all(self, url: str, grants: Grants) -> None:
        server = msgspec.structs.replace(SERVER, base_url=url, grants=grants)
        with contextlib.suppress(UpstreamError):
            await fetch(self.http, url, grants=grants, seconds=SECONDS)
        with contextlib.suppress(UpstreamError):
            destination = destination_of(server, ())
            timeouts = Timeouts(connect=SECONDS, head=SECONDS, idle=SECONDS)
            response = await self.client.request(
                destination, "GET", "/v1/models", timeouts=timeouts
            )
            response.abort()
        with contextlib.suppress(UpstreamError):
            await probe(server, destination_of(server, ()), self.http, seconds=SECONDS)
        await self.examined(server)

    async def examined(self, server: Server) -> None:
        job = ConformityJob(
            run_id="1",
            attempt=1,
            kind=RunKind.CONFORMITY,
            server=server,
            declared=Declaration(served_name="m", tools=True, images=True, embeddings=True),
        )
        verdicts = [line.verdict async for line in examine(job, self.client, (), self.names)]
        assert Verdict.FAILED in verdicts


@asynccontextmanager
async def ways() -> AsyncGenerator[Ways]:
    names = HostileNames()
    client = Client(EgressPolicy(), lookup=names)
    async with guarded_client(EgressPolicy(), names) as http:
        try:
            yield Ways(client, http, names)
        finally:
            await client.close()


def run(loop: str, work: Callable[[Canaries, Ways], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with canaries() as birds, ways() as out:
            await work(birds, out)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(whole())


@pytest.fixture(params=sorted(LOOPS))
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own environment would send everything elsewhere."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://{METADATA}:80")
    monkeypatch.setenv("NO_PROXY", "")


def assert_nothing_else(birds: Canaries) -> None:
    """Only what was granted was reached, and nothing tried but that and https to plainly public addresses."""
    assert set(birds.reached) <= {birds.granted}
    for ip, port in set(SPY.connections) - {birds.granted}:
        address = ipaddress.ip_address(ip)
        assert address.is_global, (ip, port)
        assert not address.is_multicast, (ip, port)
        assert port in DEFAULT, (ip, port)
        assert ip != "168.63.129.16", "a metadata service, though its address is public"
    assert not SPY.lookups, "a resolver was asked that is not ours"


def test_no_hostile_address_reaches_what_was_not_granted(loop: str) -> None:
    async def work(birds: Canaries, out: Ways) -> None:
        grants = (birds.granted,)
        urls = hostile_urls((birds.granted[1], birds.forbidden[0][1]))
        assert len(set(urls)) >= AT_LEAST
        for url in urls:
            for each in {url, *stored(url)}:
                await out.all(each, grants)
        assert_nothing_else(birds)
        assert birds.granted in birds.reached, (
            "the granted address was not reached: nothing is shown"
        )

    run(loop, work)


def test_without_any_leave_no_hostile_address_reaches_this_machine(loop: str) -> None:
    async def work(birds: Canaries, out: Ways) -> None:
        for url in hostile_urls((birds.granted[1],))[::7]:
            await out.all(url, ())
        assert birds.reached == []
        assert_nothing_else(birds)

    run(loop, work)


def test_leave_for_a_private_network_is_none_for_this_machine_or_for_metadata(loop: str) -> None:
    """Were such a network written into the register past its checks, the guard would still refuse."""

    async def work(birds: Canaries, out: Ways) -> None:
        port = birds.granted[1]
        networks = (
            "127.0.0.0/8",
            "169.254.0.0/16",
            "0.0.0.0/0",
            "::/0",
            "100.64.0.0/10",
            "::1/128",
        )
        grants = tuple((network, each) for network in networks for each in (port, 80, 443))
        for url in hostile_urls((port,))[::11]:
            await out.all(url, grants)
        assert birds.reached == []
        assert_nothing_else(birds)

    run(loop, work)


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirection_is_followed(loop: str, status: int) -> None:
    async def work(birds: Canaries, out: Ways) -> None:
        url = f"http://{birds.granted[0]}:{birds.granted[1]}"
        host, port = birds.forbidden[0]
        targets = (f"http://{host}:{port}/", f"//{host}:{port}/", f"http://{METADATA}/latest/")
        elsewhere = [
            each for each in hostile_urls((port,)) if each.isascii() and each.isprintable()
        ]
        for target in (*targets, *elsewhere[:: 1 + len(elsewhere) // 60]):
            birds.answer = _sending_elsewhere(status, target[:2_000])
            await out.all(url, (birds.granted,))
        assert_nothing_else(birds)
        assert set(birds.reached) == {birds.granted}

    run(loop, work)


def _sending_elsewhere(status: int, target: str) -> bytes:
    lines = (
        f"HTTP/1.1 {status} Elsewhere",
        f"Location: {target}",
        f"Refresh: 0; url={target}",
        f"Content-Location: {target}",
        f'Alt-Svc: h2="{target}", h3=":443"',
        f"Link: <{target}>; rel=preconnect",
        "Set-Cookie: session=stolen; Path=/",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1")


@pytest.mark.parametrize(
    "answer",
    [
        b"old protocols have no head at all\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 305 Use Proxy\r\nLocation: http://127.0.0.2:80/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=["HTTP/0.9", "upgrade", "use proxy", "proxy asks who", "negotiate", "HTTP/2", "TLS"],
)
def test_an_odd_answer_leads_nowhere_else(loop: str, answer: bytes) -> None:
    async def work(birds: Canaries, out: Ways) -> None:
        birds.answer = answer
        await out.all(f"http://{GRANTED_HOST}:{birds.granted[1]}", (birds.granted,))
        assert_nothing_else(birds)
        assert set(birds.reached) == {birds.granted}

    run(loop, work)


def test_no_server_gets_a_cookie_that_a_server_has_set(loop: str) -> None:
    async def work(birds: Canaries, out: Ways) -> None:
        birds.answer = _sending_elsewhere(200, "http://127.0.0.2/")
        url = f"http://{GRANTED_HOST}:{birds.granted[1]}"
        for _ in range(2):
            await out.all(url, (birds.granted,))
        assert len(birds.requests) > 4
        assert not any(b"cookie" in head.lower() for head in birds.requests)

    run(loop, work)


def test_credentials_in_an_address_are_never_sent(loop: str) -> None:
    async def work(birds: Canaries, out: Ways) -> None:
        url = f"http://user:secret@{GRANTED_HOST}:{birds.granted[1]}"
        with pytest.raises(EgressRefused):
            await fetch(out.http, url, grants=(birds.granted,))
        await out.all(url, (birds.granted,))
        assert birds.reached == []

    run(loop, work)


ALPHABET = string.ascii_letters + string.digits + ".:/@\\#?%[]-_~ \t\r\n\x00é０。"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(ALPHABET, max_size=60), st.sampled_from(("", "http://", "https://", "http://127.0.0.1"))
)
def test_whatever_is_typed_is_refused_or_stored_in_its_one_spelling(text: str, start: str) -> None:
    for kept in stored(start + text):
        assert list(stored(kept)) == [kept]
        assert not set(kept) & set("@\\#? \t\r\n\x00%")
        assert kept.isascii()
        httpx_reads = httpx.URL(kept)
        assert f"{httpx_reads.scheme}://{httpx_reads.netloc.decode()}" in kept


def stored(url: str) -> Iterator[str]:
    """Yield what the register keeps of an address, nothing when it refuses it."""
    try:
        yield canonical_url(url)
    except ValidationError:
        return
