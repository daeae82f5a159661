"""The router's load in the portal's process, beside a router that is there, hangs, or is gone."""

import asyncio
from pathlib import Path

import pytest

from routing.bridge import load
from routing.bridge.load import current_load, load_follower
from routing.bridge.router import running_incarnation
from tests.support.fake_router import FakeRouter, listening
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "INTERVAL_MS", 20)
    monkeypatch.setattr(load, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(load, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(load, "_follower", None)


async def test_the_newest_load_is_at_hand(socket: Path) -> None:
    router = FakeRouter("r1")
    async with listening(router, socket):
        follower = load_follower()
        await until(lambda: follower.latest, "the first load")
        router.in_flight = 7

        await until(lambda: follower.latest and follower.latest.open_requests == 7, "the next load")


async def test_one_follower_serves_the_whole_process(socket: Path) -> None:
    router = FakeRouter("r1")
    async with listening(router, socket):
        followers = {load_follower() for _ in range(50)}
        (follower,) = followers
        await until(lambda: follower.latest, "the first load")

        assert await asyncio.to_thread(current_load) == follower.latest
        assert router.connections == 1


async def test_a_router_that_goes_reads_as_away_and_its_successor_is_followed(
    socket: Path,
) -> None:
    follower = load_follower()
    async with listening(FakeRouter("r1"), socket):
        await until(lambda: follower.latest, "the first router")
    await until(lambda: follower.latest is None, "the router to be away")

    async with listening(FakeRouter("r2"), socket):
        await until(lambda: follower.latest, "the second router")

    assert follower.is_running


@pytest.mark.parametrize("greets", [True, False])
async def test_a_router_that_falls_silent_reads_as_away(socket: Path, greets: bool) -> None:
    follower = load_follower()
    router = FakeRouter("r1")
    async with listening(router, socket):
        await until(lambda: follower.latest, "the first load")

        router.answers, router.greets = False, greets

        await until(lambda: follower.latest is None, "the silence to be noticed")


async def test_a_follower_of_a_loop_that_has_ended_is_replaced(socket: Path) -> None:
    async def start_one() -> object:
        return load_follower()

    ended = await asyncio.to_thread(lambda: asyncio.run(start_one()))

    assert load_follower() is not ended


async def test_a_synchronous_view_asks_for_the_load_once(socket: Path) -> None:
    router = FakeRouter("r1")
    router.in_flight = 3
    async with listening(router, socket):
        found = await asyncio.to_thread(current_load)

    assert found == router.load()


def test_nobody_waits_for_a_router_that_is_not_there(socket: Path) -> None:
    assert current_load() is None
    assert running_incarnation() is None


async def test_nobody_waits_long_for_a_router_that_hangs(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = FakeRouter("r1", answers=False)
    async with listening(router, socket):
        assert await asyncio.to_thread(current_load) is None

        router.greets = False
        assert await asyncio.to_thread(running_incarnation) is None


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 200 OK\r\n\r\n", b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b""]
)
async def test_whatever_else_listens_there_is_no_router(socket: Path, words: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        writer.close()

    server = await asyncio.start_unix_server(babble, socket)
    async with server:
        assert await asyncio.to_thread(current_load) is None


async def test_the_router_says_who_it_is(socket: Path) -> None:
    async with listening(FakeRouter("0198-abc"), socket):
        assert await asyncio.to_thread(running_incarnation) == "0198-abc"
