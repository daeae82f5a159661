"""Bad input: each a clear error in OpenAI's shape, nothing lost, and no server blamed for a client's mistake."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from routing.core.enums import RequestStatus
from routing.gateway.settings import Limits
from routing.simulator import Fault, Simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN, asked
from tests.support.router import (
    KEY,
    MODEL,
    BareClient,
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

JSON = {"content-type": "application/json"}


def error(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the error in an answer of this status, having checked its shape."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    found: dict[str, Any] = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert isinstance(found["message"], str)
    assert found["code"] is None or isinstance(found["code"], str)
    return found


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "No token provided"),
        ({"authorization": "Bearer"}, "Invalid token"),
        ({"authorization": "Basic abc"}, "Invalid token"),
        ({"authorization": f"Bearer {KEY} more"}, "Invalid token"),
        ({"authorization": "Bearer nobody"}, "Unauthorized"),
        ({"authorization": "Bearer " + "x" * 300}, "Unauthorized"),
        ({"x-api-key": "nobody"}, "Unauthorized"),
    ],
)
async def test_a_wrong_or_missing_key_is_refused(
    router: Router, upstream: Simulated, headers: dict[str, str], message: str
) -> None:
    answer = await router.post(key="", json=chat(), headers=headers)

    assert error(answer, 401)["message"] == message
    assert asked(upstream) == []
    assert router.records() == []


@pytest.mark.parametrize(
    "headers", [{"authorization": f"bearer {KEY}"}, {"x-api-key": KEY}], ids=str
)
async def test_a_key_is_taken_in_both_ways(router: Router, headers: dict[str, str]) -> None:
    assert (await router.post(key="", json=chat(), headers=headers)).status_code == 200


async def test_an_expired_key_is_refused(router: Router) -> None:
    router.gateway.apply(principals(**{KEY: a_principal(expires_at=1.0)}))

    assert error(await router.post(json=chat()), 401)["code"] == "expired_api_key"


DEEP = b'{"model":"gpt-oss-120b","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b'{"model": ', 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"null", 400, "invalid_json"),
        (b'{"model":"gpt-oss-120b","x":"\xff"}', 400, "invalid_json"),
        (DEEP, 400, "invalid_json"),
        (b"{}", 400, "missing_model"),
        (b'{"model":null}', 400, "missing_model"),
        (b'{"model":""}', 400, "missing_model"),
        (b'{"model":7}', 400, "invalid_field"),
        (b'{"model":"nobody\'s"}', 404, "model_not_found"),
        (b'{"model":"gpt-oss-120b","Model":"other"}', 400, "ambiguous_field"),
        (b'{"model":"gpt-oss-120b","model":"other"}', 400, "ambiguous_field"),
        (b'{"model":"gpt-oss-120b","stream":"yes"}', 400, "invalid_field"),
        (b'{"model":"gpt-oss-120b","priority":"1"}', 400, "invalid_field"),
        (b'{"model":"gpt-oss-120b","priority":true}', 400, "invalid_field"),
        (b'{"model":"gpt-oss-120b","priority":-1}', 400, "invalid_field"),
        (b'{"model":"gpt-oss-120b","routing-mode":"x"}', 400, "invalid_field"),
        (b'{"model":"gpt-oss-120b","stream":true,"stream_options":1}', 400, "invalid_field"),
    ],
)
async def test_a_bad_body_is_refused_before_any_server_hears_of_it(
    router: Router, upstream: Simulated, body: bytes, status: int, code: str
) -> None:
    answer = await router.post(content=body, headers=JSON)

    assert error(answer, status)["code"] == code
    assert asked(upstream) == []
    await router.idle()


async def test_an_unknown_model_is_named_in_the_refusal(router: Router) -> None:
    refused = error(await router.post(json=chat(model="no-such-model")), 404)

    assert "Unknown model" in refused["message"]
    assert "no-such-model" in refused["message"]
    assert refused["param"] == "model"


async def test_a_key_that_names_its_models_uses_no_other(router: Router) -> None:
    router.gateway.apply(principals(**{KEY: a_principal(models=(an_id("another"),))}))

    assert error(await router.post(json=chat()), 403)["code"] == "model_not_allowed"
    assert (await router.get("/v1/models")).json()["data"] == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_30_mb_is_refused_and_the_connection_lives_on(
    router: Router, chunked: bool
) -> None:
    async def parts() -> AsyncGenerator[bytes]:
        for _ in range(30):
            yield b" " * 1_000_000

    content = parts() if chunked else b" " * 30_000_000
    async with router.client() as client:
        answer = await client.post("/v1/chat/completions", content=content)
        following = await client.post("/v1/chat/completions", json=chat())

    assert error(answer, 413)["code"] == "body_too_large"
    assert following.status_code == 200
    await router.idle()


async def test_all_bodies_together_have_a_limit(tmp_path: Path) -> None:
    async with running_router(
        tmp_path, principals(), names(), servers(), limits=Limits(max_bodies_bytes=1000)
    ) as router:
        answer = await router.post(content=b" " * 1001)

        assert error(answer, 503)["code"] == "router_busy"
        assert int(answer.headers["retry-after"]) > 0
        assert router.gateway.bodies.taken == 0


async def test_a_body_that_comes_in_drops_is_given_up(tmp_path: Path) -> None:
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
        b"authorization: Bearer %b\r\ncontent-length: 1000000\r\n\r\n" % KEY.encode()
    )

    async def drip(client: BareClient) -> None:
        while True:
            client.writer.write(b"x")
            await asyncio.sleep(0.01)

    async with (
        running_router(
            tmp_path, principals(), names(), servers(), limits=Limits(body_seconds=0.3)
        ) as router,
        router.bare(head) as client,
    ):
        dripping = asyncio.create_task(drip(client))
        try:
            assert b'"code":"request_timeout"' in await client.until(b"}}")
        finally:
            dripping.cancel()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/chat/completions", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/nonsense", 404, "unknown_path"),
        ("POST", "/v1/", 404, "unknown_path"),
        ("POST", "/v1/../metrics", 404, "unknown_path"),
        ("POST", "/v1/%2e%2e/metrics", 404, "unknown_path"),
        ("POST", "/v1/load_lora_adapter", 404, "unknown_path"),
        ("POST", "/v1/" + "a" * 65, 404, "unknown_path"),
    ],
)
async def test_wrong_paths_and_methods_are_told_apart(
    router: Router, upstream: Simulated, method: str, path: str, status: int, code: str
) -> None:
    request = (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        'connection: close\r\ncontent-length: 24\r\n\r\n{"model":"gpt-oss-120b"}'
    )
    async with router.bare(request.encode()) as client:
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert f'"code":"{code}"'.encode() in body
    assert asked(upstream) == []


@pytest.mark.parametrize("is_late", [False, True], ids=["with the head", "behind it"])
async def test_a_body_in_chunks_that_are_none_is_told_so_in_json(
    router: Router, is_late: bool
) -> None:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    ).encode()
    async with router.bare(head if is_late else head + b"zz\r\n{}\r\n") as client:
        if is_late:
            await until(lambda: any(each.reading_since for each in router.gateway.exchanges))
            client.writer.write(b"zz\r\n{}\r\n")
        answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"bad_request"' in answer
    await router.idle()


async def test_what_is_no_http_is_told_so_in_json(router: Router) -> None:
    async with router.bare(b"\x16\x03\x01 hello\r\n\r\n") as client:
        answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"bad_request"' in answer


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS *", 400),
        (b"GET http://x", 400),
        (b"CONNECT x:443", 400),
        (b"M-SEARCH /", 405),
        (b"PROPFIND /", 405),
        (b"GET /\xc3\xa9", 400),
        (b"GET /?\xc3\xa9", 400),
        (b"GET /v1/models?\xff", 400),
    ],
    ids=repr,
)
async def test_what_no_page_can_be_asked_is_refused_without_a_word_in_the_log(
    router: Router, caplog: pytest.LogCaptureFixture, line: bytes, status: int
) -> None:
    request = b"%b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % line
    async with router.bare(request) as client:
        assert (await client.rest()).startswith(b"HTTP/1.1 %d " % status)

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_connections_have_a_limit(tmp_path: Path) -> None:
    ask = b"GET /health/liveness HTTP/1.1\r\nhost: x\r\n\r\n"
    async with (
        running_router(tmp_path, limits=Limits(max_connections=2)) as router,
        router.bare(ask) as first,
        router.bare(ask) as second,
    ):
        await first.until(b"OK")
        await second.until(b"OK")
        async with router.bare(b"") as third:
            assert b'"code":"router_busy"' in await third.rest()
        first.hang_up()
        await until(lambda: len(router.gateway.connections) == 1)
        async with router.bare(ask) as fourth:
            assert (await fourth.until(b"\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_an_endless_head_is_refused(router: Router) -> None:
    async with router.bare(b"GET / HTTP/1.1\r\n" + b"x-filler: y\r\n" * 3_000) as client:
        assert (await client.rest()).startswith(b"HTTP/1.1 431 ")


async def test_a_head_or_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    limits = Limits(head_seconds=0.1, body_idle_seconds=0.1)
    half_a_head = b"POST /v1/chat/completions HTTP/1.1\r\nhost:"
    half_a_body = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
        b"authorization: Bearer %b\r\ncontent-length: 5\r\n\r\n{" % KEY.encode()
    )
    async with (
        running_router(tmp_path, principals(), names(), servers(), limits=limits) as router,
        router.bare(half_a_head) as head,
        router.bare(half_a_body) as body,
    ):
        refused = await head.rest()
        assert refused.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nx-request-id: " in refused
        assert b"The head of the request" in refused
        assert b'"code":"request_timeout"' in await body.until(b"}}")
        assert router.gateway.bodies.taken == 0


async def test_a_clients_mistake_keeps_its_status_and_counts_against_no_server(
    router: Router, upstream: Simulated
) -> None:
    for _ in range(10):
        refused = error(await router.post(json=chat(temperature=-1)), 400)
        assert "temperature" in refused["message"]
        assert refused["type"] == "invalid_request_error"

    load = router.gateway.dispatcher.load()
    assert {server.health for server in load.servers.values()} == {"healthy"}
    assert {server.failures for server in load.servers.values()} == {0}
    assert len(asked(upstream)) == 10
    assert {closed.status for closed in router.closed()} == {RequestStatus.CLIENT_ERROR}
    assert {closed.http_status for closed in router.closed()} == {400}


async def test_a_context_overflow_has_the_code_that_agents_know(router: Router) -> None:
    messages = [{"role": "user", "content": "mot " * 40_000}]

    refused = error(await router.post(json=chat(messages=messages)), 400)

    assert refused["code"] == "context_length_exceeded"


async def test_a_missing_endpoint_is_neither_ill_health_nor_an_unknown_model(
    router: Router, upstream: Simulated
) -> None:
    body = {"model": MODEL, "query": "a", "documents": ["b"]}

    first = error(await router.post("/v1/rerank", json=body), 404)
    second = error(await router.post("/v1/rerank", json=body), 404)

    assert first["code"] == second["code"] == "endpoint_not_served"
    assert len(asked(upstream)) == len(NAMES)  # asked once, remembered afterwards
    assert (await router.post(json=chat())).status_code == 200


async def test_nothing_of_the_house_leaks_through_an_error(
    tmp_path: Path, upstream: Simulated
) -> None:
    """A server that does not know its own served name lists the names that it knows."""
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name="secret-name")),
        servers(*(a_server(name, upstream.url(name), TOKEN) for name in NAMES)),
    ) as router:
        answer = await router.post(json=chat())

    assert error(answer, 503)["code"] == "no_server"
    for secret in ("secret-name", SERVED, "127.0.0.1", TOKEN):
        assert secret not in answer.text


async def test_a_server_that_refuses_our_token_never_looks_like_a_wrong_key(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model(*NAMES, served_name=SERVED)),
        servers(*(a_server(name, upstream.url(name), "wrong") for name in NAMES)),
    ) as router:
        assert error(await router.post(json=chat()), 502)["code"] == "server_failed"
        assert [each.outcome for each in (await router.only_closed()).attempts] == ["denied"] * 2


async def test_an_address_that_was_not_granted_is_never_connected_to(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(
        tmp_path,
        principals(),
        names(a_model("rennes-1", served_name=SERVED)),
        servers(a_server("rennes-1", upstream.url("rennes-1"), TOKEN, grants=())),
    ) as router:
        assert error(await router.post(json=chat()), 502)["code"] == "server_failed"
    assert upstream.requests("rennes-1") == []


async def test_an_unready_router_says_so(tmp_path: Path) -> None:
    async with running_router(tmp_path) as router:
        assert error(await router.post(json=chat()), 503)["code"] == "not_ready"
        assert (await router.get("/health/readiness")).status_code == 503
        assert (await router.get("/health/liveness")).text == "OK"


async def test_a_model_whose_servers_are_all_down_stays_listed_and_answers_503(
    router: Router, upstream: Simulated
) -> None:
    for name in NAMES:
        await upstream.set_fault(name, Fault(kind="refuse"))
    await router.post(json=chat())  # finds both dead

    answer = await router.post(json=chat())

    assert error(answer, 503)["code"] == "no_server"
    assert int(answer.headers["retry-after"]) > 0
    (listed,) = (await router.get("/v1/models")).json()["data"]
    assert listed["id"] == MODEL
    assert listed["load"]["available_servers"] == 0
    await until(lambda: len(router.closed()) == 2)
    assert router.closed()[1].status is RequestStatus.REFUSED
