"""Each fault as a client meets it, in bytes."""

import asyncio
import gzip
import json

import httpx
import pytest

from routing.simulator import Fault, simulated
from routing.simulator.faults import GARBAGE
from tests.unit.simulator.raw import CHAT, chat, config, connected, exchange, post, split


async def test_without_a_fault_an_answer_is_whole() -> None:
    async with simulated(config()) as servers:
        head, body = split(await chat(servers))

    assert head.startswith("HTTP/1.1 200 OK")
    assert json.loads(body)["object"] == "chat.completion"


@pytest.mark.parametrize("after", [0, 1, 17, 300])
async def test_a_close_lets_exactly_that_many_bytes_pass(after: int) -> None:
    async with simulated(config()) as servers:
        whole = await chat(servers)
        await servers.set_fault("rennes", Fault(kind="close", after_bytes=after))

        cut = await chat(servers)

    assert len(cut) == after
    assert cut[:15] == whole[:15][:after]


@pytest.mark.parametrize("after", [0, 200])
async def test_a_reset_comes_after_exactly_that_many_bytes(after: int) -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="reset", after_bytes=after))
        async with connected(servers) as (reader, writer):
            writer.write(post("/v1/chat/completions", CHAT))
            passed = await reader.readexactly(after)

            with pytest.raises(ConnectionResetError):
                await reader.read()

    assert len(passed) == after


async def test_a_stream_can_be_cut_in_its_middle() -> None:
    async with simulated(config()) as servers:
        whole = await chat(servers, stream=True)
        middle = len(whole) // 2
        await servers.set_fault("rennes", Fault(kind="close", after_bytes=middle))

        cut = await chat(servers, stream=True)

    assert len(cut) == middle
    assert b"[DONE]" not in cut


async def test_a_hang_says_nothing_and_ends_with_its_client() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="hang"))
        async with connected(servers) as (reader, writer):
            writer.write(post("/v1/chat/completions", CHAT))
            reading = asyncio.ensure_future(reader.read(1))
            other = await exchange(servers, post("/v1/chat/completions", CHAT), "reims")
            silent = not reading.done()
            reading.cancel()

    assert other.startswith(b"HTTP/1.1 200")
    assert silent


async def test_garbage_is_no_http() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="garbage"))

        assert await chat(servers) == GARBAGE


async def test_garbage_can_come_within_an_answer() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="garbage", after_bytes=40))

        answer = await chat(servers)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer[40:] == GARBAGE


@pytest.mark.parametrize(("status", "said"), [(None, 500), (503, 503), (429, 429)])
async def test_a_status_is_said_in_the_engines_words(status: int | None, said: int) -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="status", status=status))

        head, body = split(await chat(servers))

    assert head.startswith(f"HTTP/1.1 {said} ")
    assert json.loads(body)["error"]["code"] == said


async def test_html_comes_with_200_as_a_log_in_page_does() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="html"))

        head, body = split(await chat(servers))

    assert head.startswith("HTTP/1.1 200 OK")
    assert "content-type: text/html" in head
    assert body.startswith(b"<!DOCTYPE html>")


async def test_a_redirect_leads_elsewhere() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="redirect"))

        head, body = split(await chat(servers))

    assert head.startswith("HTTP/1.1 302 Found")
    assert "location: https://login.example.org/" in head
    assert body == b""


async def test_an_empty_answer_has_a_head_only() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="empty"))

        head, body = split(await chat(servers))

    assert head.startswith("HTTP/1.1 200 OK")
    assert "content-length: 0" in head
    assert body == b""


@pytest.mark.parametrize("stream", [False, True])
async def test_gzip_comes_though_nobody_asked_for_it(stream: bool) -> None:
    async with simulated(config()) as servers, httpx.AsyncClient(trust_env=False) as client:
        await servers.set_fault("rennes", Fault(kind="gzip"))
        url = f"{servers.url('rennes')}/v1/chat/completions"
        asked = client.build_request("POST", url, json={**CHAT, "stream": stream})
        asked.headers["accept-encoding"] = "identity"
        answer = await client.send(asked, stream=True)
        packed = b"".join([piece async for piece in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed).startswith(b"data: {" if stream else b'{"id"')


@pytest.mark.parametrize("stream", [False, True])
async def test_another_models_name_is_given(stream: bool) -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="wrong_model"))

        _, body = split(await chat(servers, stream=stream))

    assert b'"model":"another-model"' in body
    assert b'"model":"m"' not in body


async def test_half_a_body_ends_early() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="half_chunk"))

        head, body = split(await chat(servers))

    length = next(line for line in head.splitlines() if line.startswith("content-length"))
    assert len(body) == int(length.split()[1]) // 2


async def test_half_a_chunk_ends_early() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="half_chunk"))

        _, body = split(await chat(servers, stream=True))

    size, _, piece = body.partition(b"\r\n")
    assert len(piece) == int(size, 16) // 2


async def test_a_slow_server_waits_before_each_write(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="slow", seconds=7))
        monkeypatch.setattr("routing.simulator.faults.sleep", note)
        answer = await chat(servers, stream=True)

    pieces = answer.count(b"\r\ndata: ")
    assert answer.startswith(b"HTTP/1.1 200")
    assert waited == [7] * (1 + pieces + 1), "the head, each piece, the end"


async def test_a_restart_resets_what_runs_and_serves_another_model_until_the_next_message() -> None:
    async with simulated(config()) as servers:
        own = json.loads(split(await chat(servers))[1])["model"]
        async with connected(servers) as (reader, _):
            await servers.set_fault("rennes", Fault(kind="restart", model="another"))
            with pytest.raises(ConnectionResetError):
                await reader.read()

        head, body = split(await chat(servers))
        async with httpx.AsyncClient(base_url=servers.url("rennes"), trust_env=False) as client:
            listed = (await client.get("/v1/models")).json()["data"]
            await servers.set_fault("rennes", Fault(kind="none"))

    assert head.startswith("HTTP/1.1 404")
    assert own in json.loads(body)["error"]["message"]
    assert [model["id"] for model in listed] == ["another"]


async def test_a_restarted_server_that_is_well_again_serves_its_own_model() -> None:
    async with simulated(config()) as servers:
        await servers.set_fault("rennes", Fault(kind="restart"))
        await servers.set_fault("rennes", Fault(kind="none"))

        head, _ = split(await chat(servers))

    assert head.startswith("HTTP/1.1 200")


@pytest.mark.parametrize("more", [{"path": "/v1/models"}, {"times": 2}])
def test_a_restart_takes_neither_path_nor_times(more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="restart strikes the whole server"):
        Fault(kind="restart", **more)  # type: ignore[arg-type]  # one of two
