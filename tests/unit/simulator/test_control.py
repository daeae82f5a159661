"""Faults are set, limited, lifted and refused: by code, by header, by messages to `/_fault`."""

import json

import httpx
import msgspec
import pytest

from routing.simulator import ConfigError, Fault, Simulated, simulated
from routing.simulator.faults import parse
from tests.unit.simulator.raw import CHAT, chat, config, connected, exchange, post, split


async def test_a_refusing_server_does_not_listen_and_resets_who_is_connected() -> None:
    async with simulated(config()) as servers, connected(servers) as (reader, writer):
        writer.write(post("/v1/chat/completions", CHAT).replace(b"close", b"keep-alive"))
        await reader.readuntil(b"\r\n\r\n")

        await servers.set_fault("rennes", Fault(kind="refuse"))

        with pytest.raises(ConnectionRefusedError):
            await chat(servers)
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_refusing_server_listens_again_at_the_same_address() -> None:
    async with simulated(config()) as servers:
        before = servers.url("rennes")
        await servers.set_fault("rennes", Fault(kind="refuse"))
        await servers.set_fault("rennes", Fault(kind="refuse"))

        await servers.set_fault("rennes", Fault(kind="none"))

        assert servers.url("rennes") == before
        assert (await chat(servers)).startswith(b"HTTP/1.1 200")


async def test_a_refusing_server_comes_back_by_itself_after_its_seconds() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="refuse", seconds=0.05))
        assert (await refused(servers)) is True

        while await refused(servers):
            pass

        assert (await chat(servers)).startswith(b"HTTP/1.1 200")


async def test_connections_can_be_reset_a_number_of_times() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="refuse", times=2))

        ends = [await refused(servers) for _ in range(3)]

    assert ends == [True, True, False]


async def test_a_fault_strikes_as_often_as_it_was_told() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="status", status=502, times=2))

        answers = [split(await chat(servers))[0].split()[1] for _ in range(3)]

    assert answers == ["502", "502", "200"]


async def test_a_fault_can_strike_one_path_only() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="empty", path="/v1/completions"))

        _, body = split(await chat(servers))

    assert body


async def test_a_request_can_bring_its_own_fault() -> None:
    async with simulated(config()) as servers:
        struck = await chat(servers, "x-simulator-fault: empty")
        detailed = await chat(servers, 'x-simulator-fault: {"kind": "status", "status": 418}')
        spared = await chat(servers)

    assert split(struck)[1] == b""
    assert detailed.startswith(b"HTTP/1.1 418")
    assert split(spared)[1]


@pytest.mark.parametrize("given", ["nonsense", "{", '{"kind": "close", "after_bytes": -1}', "{}"])
async def test_a_fault_that_is_none_is_refused_in_one_line(given: str) -> None:
    async with simulated(config()) as servers:
        by_header = await chat(servers, f"x-simulator-fault: {given}")
        by_control = await exchange(
            servers,
            post("/_fault", None).replace(b"4\r\n\r\nnull", b"%d\r\n\r\n" % len(given))
            + given.encode(),
        )

    for answer in (by_header, by_control):
        head, body = split(answer)
        assert head.startswith("HTTP/1.1 400")
        assert "\n" not in json.loads(body)["error"]


async def test_a_fault_is_set_read_and_lifted_over_http() -> None:
    async with simulated(config()) as servers, httpx.AsyncClient(trust_env=False) as client:
        control = f"{servers.url('rennes')}/_fault"
        told = await client.post(control, json={"kind": "status", "status": 503})
        read = await client.get(control)
        struck = await chat(servers)
        await client.post(control, content="none")
        spared = await chat(servers)

    assert told.json() == read.json()
    assert read.json()["status"] == 503
    assert struck.startswith(b"HTTP/1.1 503")
    assert spared.startswith(b"HTTP/1.1 200")


async def test_one_server_takes_messages_for_another() -> None:
    async with simulated(config()) as servers, httpx.AsyncClient(trust_env=False) as client:
        control = f"{servers.url('reims')}/_fault"
        await client.post(control, json={"kind": "refuse", "server": "rennes"})
        gone = await refused(servers)
        await client.post(control, json={"kind": "none", "server": "rennes"})
        back = not await refused(servers)
        unknown = await client.post(control, json={"kind": "none", "server": "nice"})

    assert gone
    assert back
    assert unknown.status_code == 404


async def test_a_server_told_to_refuse_still_answers_who_told_it() -> None:
    async with simulated(config()) as servers, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{servers.url('rennes')}/_fault", content="refuse")

        assert answer.json()["kind"] == "refuse"
        assert await refused(servers)


def test_refuse_takes_no_path_and_not_both_limits() -> None:
    for wrong in ('{"kind": "refuse", "path": "/x"}', '{"kind":"refuse","times":1,"seconds":1}'):
        with pytest.raises(msgspec.ValidationError):
            parse(wrong)


async def refused(servers: Simulated) -> bool:
    try:
        return not await chat(servers)
    except (ConnectionRefusedError, ConnectionResetError):
        return True


async def test_a_port_that_is_taken_is_named() -> None:
    async with simulated(config()) as servers:
        port = servers.servers["rennes"].port
        taken = {"servers": [{"name": "nice", "engine": "vllm", "model": "m", "port": port}]}

        with pytest.raises(ConfigError, match=f"nice: cannot listen on 127.0.0.1 port {port}"):
            async with simulated(taken):
                pass
