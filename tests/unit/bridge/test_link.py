"""The clerk's end of the socket, beside a router that takes sections, goes, comes back, or talks nonsense."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from routing.bridge import link as link_module
from routing.bridge.link import RouterLink
from routing.core.table import Names, NamesSection, PrincipalsSection, Section, ServersSection
from routing.dispatch.frames import Hello, encode
from tests.support.fake_router import FakeRouter, listening
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "BEAT_MS", 20)
    monkeypatch.setattr(link_module, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(link_module, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(link_module, "LAST_RETRY_SECONDS", 0.02)


@asynccontextmanager
async def running(link: RouterLink) -> AsyncIterator[asyncio.Task[None]]:
    task: asyncio.Task[None] = asyncio.create_task(link.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def whole_table(version: int) -> list[Section]:
    return [
        PrincipalsSection(version=version, by_digest={}),
        NamesSection(version=version, names=Names(models={}, aliases={})),
        ServersSection(version=version, servers={}),
    ]


async def test_every_section_goes_to_a_router_whatever_it_says_it_holds(socket: Path) -> None:
    link, router = RouterLink(), FakeRouter("r1")
    router.versions = {"principals": 4, "names": 4, "servers": 4}
    link.publish(whole_table(4))
    async with listening(router, socket), running(link):
        await until(lambda: len(router.sections) == 3, "all sections")

    assert router.sections == whole_table(4)


async def test_only_what_is_new_goes_to_a_router_that_has_the_rest(socket: Path) -> None:
    link, router = RouterLink(), FakeRouter("r1")
    async with listening(router, socket), running(link):
        table = whole_table(1)
        link.publish(table)
        await until(lambda: len(router.sections) == 3, "all sections")

        link.publish([PrincipalsSection(version=2, by_digest={}), *table[1:]])

        await until(lambda: router.versions.get("principals") == 2, "the new section")
    assert len(router.sections) == 4


async def test_it_is_known_what_a_router_decides_from(socket: Path) -> None:
    link, router = RouterLink(), FakeRouter("r1")
    async with listening(router, socket), running(link):
        link.publish(whole_table(6))

        await until(
            lambda: (
                link.router and link.router.versions == {"principals": 6, "names": 6, "servers": 6}
            ),
            "every section to be in force",
        )

        assert link.router
        assert link.router.incarnation == "r1"


async def test_a_router_that_comes_back_gets_the_whole_table_again(socket: Path) -> None:
    link = RouterLink()
    link.publish(whole_table(3))
    first, second = FakeRouter("r1"), FakeRouter("r2")
    async with running(link):
        async with listening(first, socket):
            await until(lambda: len(first.sections) == 3, "the first router's table")
        await until(lambda: link.router is None, "the router to be away")
        async with listening(second, socket):
            await until(lambda: len(second.sections) == 3, "the second router's table")

    assert second.sections == first.sections


async def test_a_clerk_that_no_longer_leads_has_nothing_for_a_router_that_comes(
    socket: Path,
) -> None:
    """What it knew may be older than what the leading clerk has told."""
    link, first, second = RouterLink(), FakeRouter("r1"), FakeRouter("r2")
    async with running(link):
        async with listening(first, socket):
            link.publish(whole_table(3))
            await until(lambda: len(first.sections) == 3, "the table of who leads")
            link.publish([])
        async with listening(second, socket):
            await until(
                lambda: link.router and link.router.incarnation == "r2", "the second router"
            )
            seen_at = link.router.seen_at if link.router else 0.0
            await until(lambda: link.router and link.router.seen_at > seen_at, "its next word")

    assert second.sections == []


async def test_an_absence_is_told_once_not_at_every_try(
    socket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    link = RouterLink()
    tries = 0

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    async with running(link), await asyncio.start_unix_server(slam, socket):
        await until(lambda: tries > 5, "several tries")

    told = [record.message for record in caplog.records if "away" in record.message]
    assert len(told) == 1


async def test_a_router_that_hangs_is_left_and_tried_again(socket: Path) -> None:
    link, router = RouterLink(), FakeRouter("r1")
    async with listening(router, socket), running(link):
        await until(lambda: link.router, "the router")
        router.answers = False
        before = router.connections

        await until(lambda: router.connections > before, "another connection")


@pytest.mark.parametrize("nonsense", [b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", b"\0\0\0\x10cut"])
async def test_nonsense_ends_the_connection_and_not_the_link(socket: Path, nonsense: bytes) -> None:
    link, router = RouterLink(), FakeRouter("r1")
    link.publish(whole_table(1))

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(Hello(incarnation="?", versions={})) + nonsense)
        writer.close()

    async with running(link) as task:
        async with await asyncio.start_unix_server(babble, socket):
            await until(lambda: link.router, "the babbler to be taken for a router")
            await until(lambda: link.router is None, "the babbler to be left")
        async with listening(router, socket):
            await until(lambda: len(router.sections) == 3, "a true router's table")
        assert not task.done()
