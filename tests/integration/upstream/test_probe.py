"""A probe tells whether a server lives, what it serves and what is wrong with it, and never what it sent."""

from collections.abc import AsyncGenerator

import httpx
import msgspec
import pytest

from routing.core.enums import ServerState
from routing.core.retry import Failure
from routing.core.table import Server
from routing.upstream.credentials import Secret
from routing.upstream.egress import EgressPolicy
from routing.upstream.guarded import guarded_client
from routing.upstream.probe import SECONDS, ProbeResult, ServedModel, probe
from tests.support.wire import Wire, answering, answering_once, serving, silent

VLLM_LIST = (
    b'{"object":"list","data":[{"id":"tiny-llama","object":"model","owned_by":"vllm",'
    b'"root":"/models/tiny-llama","parent":null,"max_model_len":1024,"permission":[]}]}'
)
LITELLM_LIST = (
    b'{"data":[{"id":"tiny-llama","object":"model","owned_by":"openai","max_input_tokens":65536,'
    b'"max_output_tokens":65536},{"id":"tiny-embed","object":"model"}],"object":"list"}'
)


def saying(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with guarded_client(EgressPolicy()) as http:
        yield http


async def probed(
    http: httpx.AsyncClient,
    wire: Wire,
    engine: str = "vllm",
    *,
    granted: bool = True,
    seconds: float = SECONDS,
) -> ProbeResult:
    destination = msgspec.structs.replace(wire.destination(), token=Secret("s3cret"))
    if not granted:
        destination = msgspec.structs.replace(destination, grants=())
    server = Server(
        id="1",
        name="gpu",
        institution_id="2",
        institution="Rennes",
        site="3",
        engine=engine,
        base_url=destination.target.url,
        state=ServerState.LIVE,
    )
    return await probe(server, destination, http, seconds=seconds)


async def test_a_server_that_lists_its_models_is_well(http: httpx.AsyncClient) -> None:
    async with serving(answering(saying(200, VLLM_LIST))) as wire:
        result = await probed(http, wire)
    assert (result.reachable, result.status, result.error) == (True, 200, None)
    assert result.models == (ServedModel("tiny-llama", 1024),)
    assert wire.requests[0].line == b"GET /v1/models HTTP/1.1"
    assert wire.requests[0].header(b"authorization") == [b"Bearer s3cret"]


@pytest.mark.parametrize(
    ("engine", "body", "models"),
    [
        ("litellm", LITELLM_LIST, (ServedModel("tiny-llama", 65536), ServedModel("tiny-embed"))),
        ("ollama", b'{"data":[{"id":"llama3.1:8b"}]}', (ServedModel("llama3.1:8b"),)),
        ("openai", b'{"data":[{"id":"m","context_length":8192}]}', (ServedModel("m", 8192),)),
        ("unheard-of", b'{"data":[{"id":"m","max_model_len":9}]}', (ServedModel("m", 9),)),
        ("vllm", b'{"data":[{"id":"m","max_model_len":"9"},{"id":7},{}]}', (ServedModel("m"),)),
        ("vllm", b'{"data":[]}', ()),
    ],
)
async def test_each_engine_is_read_in_its_own_way(
    http: httpx.AsyncClient, engine: str, body: bytes, models: tuple[ServedModel, ...]
) -> None:
    async with serving(answering(saying(200, body))) as wire:
        result = await probed(http, wire, engine)
    assert result.error is None
    assert result.models == models


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (401, Failure.DENIED),
        (403, Failure.DENIED),
        (404, Failure.NO_ENDPOINT),
        (429, Failure.FULL),
        (503, Failure.FULL),
        (500, Failure.SERVER_ERROR),
        (302, Failure.BAD_ANSWER),
        (400, Failure.BAD_ANSWER),
    ],
)
async def test_a_status_that_is_no_success_is_a_failure_of_its_kind(
    http: httpx.AsyncClient, status: int, failure: Failure
) -> None:
    async with serving(answering(saying(status, b"a secret page"))) as wire:
        result = await probed(http, wire)
    assert (result.reachable, result.status, result.error) == (True, status, failure)
    assert "secret" not in result.sentence


async def test_a_server_that_may_lack_a_list_lives_without_one(http: httpx.AsyncClient) -> None:
    async with serving(answering(saying(404, b'{"detail":"Not Found"}'))) as wire:
        result = await probed(http, wire, "openai")
    assert (result.reachable, result.error, result.models) == (True, None, ())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"",
        b"[]",
        b'{"data":{}}',
        b'{"data":[1]}',
        b'{"error":"x"}',
        b"\xff\xfe",
        b'{"data":[{"id":"\xff"}]}',
        b'{"data":[{"id":' + b"[" * 100_000,
    ],
)
async def test_a_success_that_is_no_list_is_a_bad_answer(
    http: httpx.AsyncClient, body: bytes
) -> None:
    async with serving(answering(saying(200, body))) as wire:
        result = await probed(http, wire)
    assert (result.reachable, result.error) == (True, Failure.BAD_ANSWER)


async def test_what_the_network_does_is_told(http: httpx.AsyncClient) -> None:
    async with serving(silent) as wire:
        assert (await probed(http, wire, seconds=0.3)).error is Failure.TIMEOUT
    gone = await probed(http, wire)
    assert (gone.reachable, gone.error) == (False, Failure.CONNECT)
    assert gone.sentence == f"127.0.0.1 port {wire.port} refuses connections."
    async with serving(answering_once(b"nonsense")) as wire:
        assert (await probed(http, wire)).error is Failure.BAD_ANSWER
    async with serving(answering(saying(200, b"x" * 5_000_000))) as wire:
        assert (await probed(http, wire)).error is Failure.BAD_ANSWER


async def test_a_server_that_the_guard_refuses_is_denied(http: httpx.AsyncClient) -> None:
    async with serving(answering(saying(200, VLLM_LIST))) as wire:
        result = await probed(http, wire, granted=False)
    assert (result.reachable, result.error) == (False, Failure.DENIED)
    assert "this machine itself" in result.sentence
    assert wire.peers == []
