"""Clients that offer another protocol beside HTTP/1.1 get their answers in HTTP/1.1, their bodies included."""

import logging
import re

import msgspec
import pytest

from routing.simulator import Simulated
from tests.integration.gateway.conftest import asked
from tests.support.router import KEY, Router, chat

JAVA = (
    b"connection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    b"upgrade: h2c\r\nuser-agent: Java-http-client/21\r\n"
)
"""What Java's HttpClient sends with its first request over plain http."""
WEB_SOCKET = (
    b"connection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def request(offer: bytes, *, chunked: bool = False) -> bytes:
    body = msgspec.json.encode(chat())
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n%b%b\r\n\r\n%b"
        % (KEY.encode(), offer, framing, body)
    )


@pytest.mark.parametrize("offer", [JAVA, WEB_SOCKET], ids=["java", "websocket"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("cut", [1, 330, 10_000])
async def test_a_body_behind_an_offer_is_read(
    router: Router,
    upstream: Simulated,
    caplog: pytest.LogCaptureFixture,
    offer: bytes,
    chunked: bool,
    cut: int,
) -> None:
    """However the bytes come, and again on the same connection."""
    caplog.set_level(logging.WARNING)
    data = request(offer, chunked=chunked)
    async with router.bare(b"") as client:
        for _ in range(2):
            for start in range(0, len(data), cut):
                client.writer.write(data[start : start + cut])
                await client.writer.drain()
            head = await client.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            (length,) = re.findall(rb"content-length: (\d+)", head)
            await client.reader.readexactly(int(length))

    assert len(asked(upstream)) == 2
    assert caplog.records == []


async def test_offers_that_come_all_at_once_are_all_declined(router: Router) -> None:
    one = b"GET /health/liveness HTTP/1.1\r\nhost: x\r\n%b\r\n" % JAVA
    last = b"GET /health/liveness HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with router.bare(50 * one + last) as client:
        assert (await client.rest()).count(b"HTTP/1.1 200 OK") == 51
