"""A run over a real socket: an honest server of each engine is all green, and each lie reddens exactly its line."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from routing.core.conformity import (
    Check,
    ConformityJob,
    Declaration,
    Finding,
    Line,
    Peer,
    RunKind,
    Verdict,
    passes,
)
from routing.simulator import Fault, Simulated, simulated
from routing.upstream.client import Client
from routing.upstream.conformity import examine, run
from routing.upstream.credentials import load_keys
from routing.upstream.egress import EgressPolicy
from routing.upstream.resolving import Lookup, system_lookup
from tests.support.router import ENCRYPTION_KEY, a_server
from tests.support.wire import Peer as Connection
from tests.support.wire import serving

TOKEN = "sk-rehearsal"
NAME = "mistral-small"
ENGINES = ("vllm", "ollama", "litellm", "lmdeploy", "llamacpp")
WHOLE = Declaration(served_name=NAME, context_length=8192, tools=True, json_schema=True)
BY_ENGINE = {
    # llama-cpp-python calls tools only by name, follows no schema, and counts no stream.
    "llamacpp": msgspec.structs.replace(WHOLE, tools=False, json_schema=False),
}
KEYS = load_keys(ENCRYPTION_KEY)


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    client = Client(EgressPolicy())
    yield client
    await client.close()


def farm(**changes: Any) -> dict[str, Any]:
    """Return the configuration of one server of each engine."""
    return {
        "servers": [
            {
                "name": engine,
                "engine": engine,
                "model": NAME,
                "api_key": TOKEN,
                "max_model_len": 8192,
                **changes,
            }
            for engine in ENGINES
        ],
        "speed": 0,
    }


def a_job(
    upstream: Simulated, engine: str, declared: Declaration | None = None, **changes: Any
) -> ConformityJob:
    server = a_server(
        f"{engine}-1",
        upstream.url(engine),
        TOKEN,
        engine="openai" if engine == "llamacpp" else engine,
    )
    job = ConformityJob(
        run_id="1",
        attempt=1,
        kind=RunKind.CONFORMITY,
        server=server,
        declared=declared or BY_ENGINE.get(engine, WHOLE),
    )
    return msgspec.structs.replace(job, **changes)


async def report(
    job: ConformityJob, client: Client, lookup: Lookup = system_lookup
) -> dict[Check, Line]:
    return {line.check: line async for line in examine(job, client, KEYS, lookup)}


def judged(lines: dict[Check, Line], verdict: Verdict) -> dict[Check, Finding]:
    return {check: line.finding for check, line in lines.items() if line.verdict is verdict}


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_honest_server_is_all_green(engine: str, client: Client) -> None:
    async with simulated(farm()) as upstream:
        peer = a_server("reims-1", upstream.url(engine), TOKEN, engine=engine)
        job = a_job(upstream, engine, peers=(Peer(server=peer, served_name=NAME),))
        lines = await report(job, client)

    assert judged(lines, Verdict.FAILED) == {}
    counted_by_the_router = {Check.STREAM_USAGE: Finding.NO_COUNTS}
    assert judged(lines, Verdict.WARNING) == (counted_by_the_router if engine == "llamacpp" else {})
    assert passes(list(lines.values()))
    assert lines[Check.CONTEXT].finding is Finding.WINDOW_FITS
    assert lines[Check.SPEED_TOGETHER].figures["requests"] == 8
    assert lines[Check.PEERS].figures["percent"] == 100


LIES = {
    "wrong_model": {Check.MODEL: Finding.OTHER_NAME},
    "restart": {Check.MODEL: Finding.NOT_LISTED},
    "no_usage": {Check.STREAM_USAGE: Finding.NO_COUNTS},
    "no_tools": {Check.TOOLS: Finding.NO_CALL},
    "broken_tools": {Check.TOOLS: Finding.BROKEN_CALL},
    "no_schema": {Check.JSON_SCHEMA: Finding.IGNORES_SCHEMA},
    "html": {Check.MODEL: Finding.NOT_AS_DOCUMENTED},
}


@pytest.mark.parametrize("engine", ["vllm", "ollama", "litellm", "lmdeploy"])
@pytest.mark.parametrize("lie", [*LIES, "half_context"])
async def test_each_lie_reddens_exactly_its_line(engine: str, lie: str, client: Client) -> None:
    async with simulated(farm()) as upstream:
        await upstream.set_fault(engine, Fault(kind=lie))  # type: ignore[arg-type]
        job = a_job(upstream, engine, other_models=("another-model",))
        lines = await report(job, client)

    cut = Finding.WINDOW_CUT if engine == "ollama" else Finding.WINDOW_REFUSED
    expected = {**LIES, "half_context": {Check.CONTEXT: cut}}[lie]
    assert judged(lines, Verdict.FAILED) == expected
    assert not passes(list(lines.values()))


async def test_a_list_that_admits_a_smaller_window_costs_no_long_prompt(client: Client) -> None:
    async with simulated(farm(max_model_len=4096)) as upstream:
        line = (await report(a_job(upstream, "vllm"), client))[Check.CONTEXT]

    assert (line.finding, line.verdict) == (Finding.WINDOW_LISTED_SMALLER, Verdict.FAILED)
    assert line.figures == {"listed": 4096, "declared": 8192}


async def test_another_token_than_the_servers_is_denied_and_nothing_else_is_tried(
    client: Client,
) -> None:
    async with simulated(farm(api_key="another")) as upstream:
        lines = await report(a_job(upstream, "vllm"), client)

    assert judged(lines, Verdict.FAILED) == {Check.AUTHENTICATION: Finding.DENIED}
    assert lines[Check.MODEL].figures == {"needs": "authentication"}


async def test_an_address_without_the_interface_is_no_matter_of_a_key(client: Client) -> None:
    async with simulated(farm(api_key=None)) as upstream:
        server = a_server("vllm-1", f"{upstream.url('vllm')}/elsewhere", engine="vllm")
        lines = await report(a_job(upstream, "vllm", server=server), client)

    assert judged(lines, Verdict.FAILED) == {Check.AUTHENTICATION: Finding.NO_ENDPOINT}


async def test_a_server_that_asks_nobody_for_a_token_is_a_warning(client: Client) -> None:
    async with simulated(farm(api_key=None)) as upstream:
        lines = await report(a_job(upstream, "vllm"), client)

    assert judged(lines, Verdict.WARNING) == {Check.AUTHENTICATION: Finding.OPEN_TO_ALL}
    assert passes(list(lines.values()))


async def test_answers_unlike_those_of_a_peer_are_a_warning(client: Client) -> None:
    config = farm()
    config["servers"][2]["seed"] = 7
    async with simulated(config) as upstream:
        odd = a_server("reims-1", upstream.url("litellm"), TOKEN, engine="litellm")
        peers = (Peer(server=odd, served_name=NAME),)
        lines = await report(a_job(upstream, "vllm", peers=peers), client)

    assert judged(lines, Verdict.WARNING) == {Check.PEERS: Finding.UNALIKE}


async def test_a_server_of_embeddings_is_looked_at_as_one(client: Client) -> None:
    declared = Declaration(served_name=NAME, chat=False, embeddings=True)
    async with simulated(
        {"servers": [dict(farm()["servers"][0], kind="embed")], "speed": 0}
    ) as upstream:
        lines = await report(a_job(upstream, "vllm", declared), client)

    assert judged(lines, Verdict.FAILED) == {}
    assert lines[Check.EMBEDDINGS].figures == {"dimensions": 128}
    assert lines[Check.STREAMING].finding is Finding.NOT_DECLARED


async def test_what_is_declared_and_is_not_there_is_red(client: Client) -> None:
    declared = msgspec.structs.replace(WHOLE, images=True, embeddings=True, audio=True)
    async with simulated(farm()) as upstream:
        lines = await report(a_job(upstream, "vllm", declared), client)

    assert judged(lines, Verdict.FAILED) == {
        Check.IMAGES: Finding.REFUSED_REQUEST,
        Check.EMBEDDINGS: Finding.NO_ENDPOINT,
        Check.AUDIO: Finding.NO_ENDPOINT,
    }


async def test_a_server_of_speech_gets_a_sound_and_gives_a_text(client: Client) -> None:
    forms: list[bytes] = []

    async def transcribe(peer: Connection) -> None:
        while (request := await peer.request()) is not None:
            is_list = request.line.startswith(b"GET")
            body = b'{"data":[{"id":"mistral-small"}]}' if is_list else b'{"text":""}'
            if not is_list:
                forms.append(request.body)
            refused = not request.header(b"authorization")
            status = b"401 No" if refused else b"200 OK"
            await peer.send(
                b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)
            )

    async with serving(transcribe) as wire:
        url = f"http://127.0.0.1:{wire.port}"
        job = ConformityJob(
            run_id="1",
            attempt=1,
            kind=RunKind.CONFORMITY,
            server=a_server("rennes-1", url, TOKEN, engine="openai"),
            declared=Declaration(served_name=NAME, chat=False, audio=True),
        )
        lines = await report(job, client)

    assert judged(lines, Verdict.FAILED) == {}
    assert lines[Check.AUDIO].finding is Finding.TRANSCRIBES
    assert b"RIFF" in forms[0]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254", "metadata"),
        ("http://10.0.0.7:8000", "private"),
        ("http://127.0.0.1:8000", "loopback"),
        ("http://[::ffff:127.0.0.1]:8000", "loopback"),
        ("http://93.184.215.14", "plain_http"),
    ],
)
async def test_an_address_that_the_guard_refuses_is_refused_with_the_reason(
    url: str, reason: str, client: Client
) -> None:
    server = msgspec.structs.replace(
        a_server("rennes-1", "http://127.0.0.1:1", TOKEN), base_url=url, grants=()
    )
    lines = await report(
        ConformityJob(
            run_id="1", attempt=1, kind=RunKind.CONFORMITY, server=server, declared=WHOLE
        ),
        client,
    )

    assert judged(lines, Verdict.FAILED) == {Check.CONNECTION: Finding.ADDRESS_REFUSED}
    assert lines[Check.CONNECTION].figures["reason"] == reason


async def test_a_name_that_turns_to_this_machine_is_refused_at_the_very_connection() -> None:
    """Public when it is looked at, 127.0.0.1 when it is connected to: the guard checks what it connects to."""
    asked = 0

    async def turning(host: str, port: int) -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        return ("93.184.215.14",) if asked <= 2 else ("127.0.0.1",)

    server = msgspec.structs.replace(
        a_server("rennes-1", "http://127.0.0.1:1", TOKEN),
        base_url="https://turning.example.org",
        grants=(),
    )
    job = ConformityJob(
        run_id="1", attempt=1, kind=RunKind.CONFORMITY, server=server, declared=WHOLE
    )
    client = Client(EgressPolicy(), lookup=turning)
    lines = await report(job, client, turning)
    await client.close()

    assert judged(lines, Verdict.FAILED) == {Check.CONNECTION: Finding.ADDRESS_REFUSED}
    assert lines[Check.CONNECTION].figures["address"] == "127.0.0.1"
    assert lines[Check.CONNECTION].figures["reason"] == "loopback"


async def test_a_closed_port_and_an_unknown_name_are_told_apart(client: Client) -> None:
    async with simulated(farm()) as upstream:
        job = a_job(upstream, "vllm")
    assert judged(await report(job, client), Verdict.FAILED) == {
        Check.CONNECTION: Finding.REFUSES_CONNECTIONS
    }
    nowhere = msgspec.structs.replace(job.server, base_url="https://nowhere.invalid")
    lines = await report(msgspec.structs.replace(job, server=nowhere), client)
    assert judged(lines, Verdict.FAILED) == {Check.DNS: Finding.UNKNOWN_NAME}


async def test_a_token_that_does_not_open_is_said_and_nothing_is_sent(client: Client) -> None:
    async with simulated({**farm(), "record": True}) as upstream:
        job = a_job(upstream, "vllm")
        sealed = msgspec.structs.replace(job.server, credential="nonsense")
        lines = await report(msgspec.structs.replace(job, server=sealed), client)
        assert upstream.requests("vllm") == []

    assert judged(lines, Verdict.FAILED) == {Check.AUTHENTICATION: Finding.UNREADABLE_KEY}


@pytest.mark.parametrize("engine", ["vllm", "ollama", "litellm", "lmdeploy"])
async def test_the_fixed_prompts_are_answered_by_an_honest_server(
    engine: str, client: Client
) -> None:
    async with simulated(farm()) as upstream:
        lines = await report(a_job(upstream, engine, kind=RunKind.REPLAY), client)

    assert len(lines) == 8
    assert {line.verdict for line in lines.values()} == {Verdict.OK}


async def test_a_server_that_fails_in_the_middle_of_answers_fails_the_replay(
    client: Client,
) -> None:
    async with simulated(farm()) as upstream:
        await upstream.set_fault("vllm", Fault(kind="close", after_bytes=600))
        lines = await report(a_job(upstream, "vllm", kind=RunKind.REPLAY), client)

    assert lines[Check.REPLAY_STREAM].finding is Finding.CUT
    assert not passes(list(lines.values()))


@pytest.mark.parametrize("kind", ["garbage", "empty", "gzip", "half_chunk", "redirect", "status"])
async def test_whatever_a_server_sends_no_text_of_its_own_is_in_the_report(
    kind: str, client: Client
) -> None:
    async with simulated(farm()) as upstream:
        await upstream.set_fault("vllm", Fault(kind=kind))  # type: ignore[arg-type]
        lines = await report(a_job(upstream, "vllm"), client)

    assert not passes(list(lines.values()))
    said = msgspec.json.encode(list(lines.values())).decode()
    for word in ("example.org", "HTTP", "Simulated", "<html"):
        assert word not in said


async def test_a_server_that_hangs_ends_no_run_later_than_it_may(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHECK_SECONDS", 0.2)
    async with simulated(farm()) as upstream:
        await upstream.set_fault("vllm", Fault(kind="hang"))
        lines = await report(a_job(upstream, "vllm"), client)

    assert judged(lines, Verdict.FAILED) == {Check.CONNECTION: Finding.OUT_OF_TIME}
    assert lines[Check.CONNECTION].milliseconds < 5000


async def test_after_the_time_of_a_run_what_is_left_is_said_to_be_out_of_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RUN_SECONDS", 0.0)
    async with simulated({**farm(), "record": True}) as upstream:
        lines = await report(a_job(upstream, "vllm"), client)
        assert upstream.requests("vllm") == []

    assert judged(lines, Verdict.FAILED) == {Check.DNS: Finding.OUT_OF_TIME}


async def test_a_mistake_of_a_check_is_told_as_ours(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(_: object) -> None:
        raise LookupError("a mistake")

    monkeypatch.setitem(run.EXAMINES, Check.TOOLS, stumble)
    async with simulated(farm()) as upstream:
        lines = await report(a_job(upstream, "vllm"), client)

    assert judged(lines, Verdict.FAILED) == {Check.TOOLS: Finding.OWN_FAULT}
