"""Names are asked once for all who want them now, remembered briefly, and failures are not remembered."""

import asyncio

import pytest

from routing.upstream import resolving
from routing.upstream.errors import ConnectFailed
from routing.upstream.resolving import CachedLookup, system_lookup, unknown


class Asked:
    """A resolver that counts, waits for leave, and fails while `down`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.down = False
        self.leave = asyncio.Event()
        self.leave.set()

    async def __call__(self, host: str, _port: int) -> tuple[str, ...]:
        self.names.append(host)
        await self.leave.wait()
        if self.down:
            raise unknown(host)
        return ("192.0.2.1",)


async def test_a_name_is_asked_once_for_all_who_want_it() -> None:
    asked = Asked()
    lookup = CachedLookup(asked)
    await asyncio.gather(*(lookup("rennes.test", 443) for _ in range(10)))
    await lookup("rennes.test", 443)
    await lookup("reims.test", 443)
    assert asked.names == ["rennes.test", "reims.test"]


async def test_an_answer_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()
    lookup = CachedLookup(asked)
    await lookup("rennes.test", 443)
    monkeypatch.setattr(resolving, "CACHE_S", -1.0)
    await lookup("rennes.test", 443)
    assert len(asked.names) == 2
    assert len(lookup._asked) == 1


async def test_a_slow_resolver_is_not_asked_again_while_it_thinks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolving, "CACHE_S", -1.0)
    asked = Asked()
    asked.leave.clear()
    lookup = CachedLookup(asked)
    waiting = [asyncio.create_task(lookup("rennes.test", 443)) for _ in range(3)]
    await asyncio.sleep(0)
    asked.leave.set()
    await asyncio.gather(*waiting)
    assert asked.names == ["rennes.test"]


async def test_a_failure_is_not_remembered() -> None:
    asked = Asked()
    lookup = CachedLookup(asked)
    asked.down = True
    with pytest.raises(ConnectFailed):
        await lookup("rennes.test", 443)
    asked.down = False
    assert await lookup("rennes.test", 443) == ("192.0.2.1",)


async def test_who_gives_up_takes_the_answer_from_nobody() -> None:
    asked = Asked()
    asked.leave.clear()
    lookup = CachedLookup(asked)
    impatient, patient = (asyncio.create_task(lookup("rennes.test", 443)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    asked.leave.set()
    assert await patient == ("192.0.2.1",)
    assert impatient.cancelled()


async def test_the_system_knows_this_machine_and_no_invalid_name() -> None:
    assert "127.0.0.1" in await system_lookup("localhost", 80)
    for host in ("no-such-host.invalid", "a" * 300, "\ud800"):
        with pytest.raises(ConnectFailed, match="has no address"):
            await system_lookup(host, 80)
