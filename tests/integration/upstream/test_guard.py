"""No connection goes where the guard does not let it, whatever a name says and whenever it says it."""

import msgspec
import pytest

from routing.upstream.client import Client, Destination
from routing.upstream.egress import EgressPolicy, Target
from routing.upstream.errors import (
    ConnectCause,
    ConnectFailed,
    EgressRefused,
    RefusalReason,
)
from tests.support.wire import HOST, OK, answering, answering_each, serving, whole

OTHER = "127.0.0.2"


class Names:
    """A resolver that gives each answer once and the last for ever."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.asked = 0
        self._answers = answers

    async def __call__(self, _host: str, _port: int) -> tuple[str, ...]:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


async def test_nothing_is_reached_without_leave(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        destination = Destination(target=Target("http", HOST, wire.port))
        with pytest.raises(EgressRefused) as refused:
            await client.request(destination, "GET", "/")
    assert refused.value.reason is RefusalReason.LOOPBACK
    assert wire.peers == []


async def test_leave_for_one_port_is_none_for_another(client: Client) -> None:
    async with serving(answering(OK)) as allowed, serving(answering(OK)) as other:
        destination = Destination(
            target=Target("http", HOST, other.port), grants=((HOST, allowed.port),)
        )
        with pytest.raises(EgressRefused):
            await client.request(destination, "GET", "/")
    assert other.peers == []


async def test_a_name_that_changes_its_mind_changes_nothing_for_the_address_that_was_checked() -> (
    None
):
    names = Names((HOST,), (OTHER,))
    async with serving(answering_each(OK)) as wire:
        client = Client(EgressPolicy(), lookup=names)
        destination = wire.destination("rebinding.test")
        assert await whole(await client.request(destination, "GET", "/")) == b"ok"
        assert names.asked == 1
        with pytest.raises(EgressRefused):
            await client.request(destination, "GET", "/")
        await client.close()
    assert wire.peers[0].requests
    assert len(wire.peers) == 1


async def test_one_bad_address_of_a_name_spoils_the_good_ones() -> None:
    async with serving(answering(OK)) as wire:
        client = Client(EgressPolicy(), lookup=Names((HOST, "169.254.169.254")))
        with pytest.raises(EgressRefused) as refused:
            await client.request(wire.destination("two.test"), "GET", "/")
    assert refused.value.reason is RefusalReason.METADATA
    assert wire.peers == []


async def test_leave_withdrawn_counts_though_a_connection_waits(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        destination = wire.destination()
        await whole(await client.request(destination, "GET", "/"))
        with pytest.raises(EgressRefused):
            await client.request(msgspec.structs.replace(destination, grants=()), "GET", "/")
    assert len(wire.requests) == 1


async def test_a_name_without_an_address_is_told() -> None:
    client = Client(EgressPolicy(), lookup=Names(()))
    with pytest.raises(ConnectFailed, match=r"nowhere\.test has no address") as failed:
        await client.request(Destination(target=Target("https", "nowhere.test", 443)), "GET", "/")
    assert failed.value.cause is ConnectCause.NAME


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with serving(answering(OK)) as wire:
        client = Client(EgressPolicy(), lookup=Names((OTHER, HOST)))
        destination = Destination(
            target=Target("http", "two.test", wire.port),
            grants=((HOST, wire.port), (OTHER, wire.port)),
        )
        assert await whole(await client.request(destination, "GET", "/")) == b"ok"
        await client.close()


async def test_a_malformed_grant_grants_nothing_and_breaks_nothing(client: Client) -> None:
    async with serving(answering(OK)) as wire:
        bad = Destination(target=Target("http", HOST, wire.port), grants=(("nonsense", wire.port),))
        with pytest.raises(EgressRefused):
            await client.request(bad, "GET", "/")
        good = msgspec.structs.replace(bad, grants=(*bad.grants, (HOST, wire.port)))
        assert (await client.request(good, "GET", "/")).status == 200
