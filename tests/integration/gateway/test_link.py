"""The table and the load over the unix socket; what the router does while the others are away."""

import asyncio
import stat
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from routing.core.table import Section
from routing.dispatch.frames import (
    Frame,
    Hello,
    InForce,
    Load,
    Subscribe,
    encode,
    read_frame,
)
from routing.gateway import link
from routing.simulator import Simulated
from tests.integration.gateway.conftest import SERVED, TOKEN
from tests.support.router import (
    MODEL,
    Router,
    a_model,
    a_principal,
    a_server,
    an_id,
    chat,
    names,
    principals,
    running_router,
    servers,
    until,
)


class Peer:
    """The clerk or the portal, at its end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def send(self, frame: Frame) -> None:
        self.writer.write(encode(frame))

    async def next(self) -> Frame | None:
        return await asyncio.wait_for(read_frame(self._reader), 20)


@asynccontextmanager
async def peer_of(router: Router) -> AsyncGenerator[Peer]:
    path = router.gateway.settings.run_dir / "router.sock"
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def sections(upstream: Simulated) -> tuple[Section, ...]:
    return (
        principals(),
        names(a_model("rennes-1", served_name=SERVED)),
        servers(a_server("rennes-1", upstream.url("rennes-1"), TOKEN)),
    )


async def test_sections_are_in_force_as_soon_as_the_router_says_so(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(tmp_path) as router, peer_of(router) as clerk:
        hello = await clerk.next()
        assert isinstance(hello, Hello)
        assert hello.incarnation == router.gateway.incarnation
        assert hello.versions == {"principals": 0, "names": 0, "servers": 0}
        for section in sections(upstream):
            clerk.send(section)
            assert isinstance(await clerk.next(), InForce)

        assert (await router.get("/health/readiness")).text == "OK"
        assert (await router.post(json=chat())).status_code == 200
        clerk.send(principals(another=a_principal()))
        assert await clerk.next() == InForce(section="principals", version=1)
        assert (await router.post(json=chat())).status_code == 401


async def test_the_router_starts_from_its_snapshot_with_everybody_away(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(tmp_path) as first, peer_of(first) as clerk:
        await clerk.next()
        for section in sections(upstream):
            clerk.send(section)
            await clerk.next()
        await until(lambda: len(list((tmp_path / "table").glob("*.msgpack"))) == 3)

    async with running_router(tmp_path) as second:
        assert (await second.post(json=chat())).status_code == 200
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "table").iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\xff\xfe", b"\x81\xa4type\xa4nope"])
async def test_a_damaged_snapshot_is_ignored_and_said(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "principals.msgpack").write_bytes(content)

    async with running_router(tmp_path) as router:
        assert router.gateway.versions["principals"] == 0
    assert "the snapshot of principals is ignored" in caplog.text


async def test_a_table_that_cannot_be_written_down_is_in_force_all_the_same(
    tmp_path: Path, upstream: Simulated, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "table").write_text("in the way")
    async with running_router(tmp_path) as router, peer_of(router) as clerk:
        await clerk.next()
        for section in sections(upstream):
            clerk.send(section)
            assert isinstance(await clerk.next(), InForce)

        assert (await router.post(json=chat())).status_code == 200
        await until(lambda: "cannot be written" in caplog.text)


async def test_a_disk_that_hangs_keeps_no_revoked_key_alive(
    tmp_path: Path, upstream: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    saved: list[int] = []

    def hang(folder: Path, section: Section) -> None:
        disk.wait(20)
        saved.append(section.version)

    monkeypatch.setattr(link, "save_section", hang)
    async with running_router(tmp_path) as router, peer_of(router) as clerk:
        try:
            await clerk.next()
            for version in (1, 2, 3):
                clerk.send(msgspec.structs.replace(principals(), version=version))
                assert await clerk.next() == InForce(section="principals", version=version)
        finally:
            disk.set()
        await until(lambda: len(saved) == 2)
    assert saved == [1, 3]  # what was overtaken meanwhile is not written down


async def test_the_load_is_told_to_who_subscribes(router: Router) -> None:
    async with peer_of(router) as portal:
        await portal.next()
        portal.send(Subscribe(interval_ms=200))
        first, second = await portal.next(), await portal.next()

    assert isinstance(first, Load)
    assert isinstance(second, Load)
    assert first.view.models[an_id(MODEL)].available_servers == 2
    assert first.versions == router.gateway.versions


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x03abc",
        b"\x00\x00",
        encode(InForce(section="x", version=1)),
    ],
    ids=["too long", "no frame", "cut", "not theirs"],
)
async def test_a_peer_that_talks_rubbish_is_let_go_and_nobody_else_notices(
    router: Router, rubbish: bytes
) -> None:
    async with peer_of(router) as peer:
        await peer.next()
        peer.writer.write(rubbish)
        peer.writer.write_eof()
        assert await peer.next() is None

    assert (await router.post(json=chat())).status_code == 200


async def test_the_socket_is_this_users_alone_and_goes_with_the_router(tmp_path: Path) -> None:
    async with running_router(tmp_path) as router:
        path = router.gateway.settings.run_dir / "router.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_server_that_is_withdrawn_gets_no_further_request(
    router: Router, upstream: Simulated
) -> None:
    async with peer_of(router) as clerk:
        await clerk.next()
        clerk.send(servers(a_server("reims-1", upstream.url("reims-1"), TOKEN)))
        await clerk.next()

    for _ in range(4):
        assert (await router.post(json=chat())).status_code == 200
    assert {closed.server_id for closed in router.closed()} == {an_id("reims-1")}
