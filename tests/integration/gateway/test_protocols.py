"""Every protocol that clients speak: answers, streams, errors, and the headers around them."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from routing.core.enums import LifecycleStage, RequestStatus, RoutingMode, UsageSource
from routing.simulator import Simulated, simulated
from tests.integration.gateway.conftest import NAMES, SERVED, TOKEN, asked
from tests.support.router import (
    KEY,
    MODEL,
    RENNES_KEY,
    Router,
    a_model,
    a_principal,
    a_server,
    an_id,
    chat,
    events,
    names,
    principals,
    running_router,
    servers,
)
from tests.support.wire import answering, serving

QUESTION = [{"role": "user", "content": "Bonjour"}]
ASKED: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": QUESTION, "max_tokens": 5},
    "completions": {"prompt": "Bonjour", "max_tokens": 5},
    "responses": {"input": "Bonjour", "max_output_tokens": 5},
    "messages": {"messages": QUESTION, "max_tokens": 5},
}


@pytest.mark.parametrize("prefix", ["/v1", ""], ids=["under v1", "without v1"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("endpoint", list(ASKED))
async def test_writing_endpoints_answer_and_are_counted(
    router: Router, endpoint: str, stream: bool, prefix: str
) -> None:
    body = {"model": MODEL, "stream": stream} | ASKED[endpoint]

    answer = await router.post(f"{prefix}/{endpoint}", json=body)

    assert answer.status_code == 200
    assert MODEL in answer.text
    assert SERVED not in answer.text
    closed = await router.only_closed()
    assert closed.opened.endpoint == endpoint
    assert (closed.status, closed.usage_source) == (RequestStatus.OK, UsageSource.SERVER)
    assert closed.completion_tokens == 5
    assert closed.prompt_tokens > 0
    assert (closed.first_token_at is not None) is stream


async def test_embeddings_and_rerank_are_answered_by_a_server_for_them(tmp_path: Path) -> None:
    config = {
        "speed": 0,
        "servers": [{"name": "rennes-1", "engine": "vllm", "model": "bge", "kind": "embed"}],
    }
    async with (
        simulated(config) as upstream,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", name="bge-m3", served_name="bge")),
            servers(a_server("rennes-1", upstream.url("rennes-1"))),
        ) as router,
    ):
        embedded = await router.post(
            "/v1/embeddings", json={"model": "bge-m3", "input": ["a", "b"]}
        )
        ranked = await router.post(
            "/v2/rerank", json={"model": "bge-m3", "query": "a", "documents": ["b", "c"]}
        )

        assert len(embedded.json()["data"]) == 2
        assert len(ranked.json()["results"]) == 2
        assert [each.opened.endpoint for each in router.closed()] == ["embeddings", "rerank"]
        assert all(each.prompt_tokens > 0 for each in router.closed())


async def test_speech_passes_untouched_but_for_the_models_name(tmp_path: Path) -> None:
    subtitles = b"HTTP/1.1 200 OK\r\ncontent-type: text/vtt\r\ncontent-length: 6\r\n\r\nWEBVTT"
    sound = bytes(range(256)) * 40
    async with (
        serving(answering(subtitles)) as server,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", name="whisper", served_name="openai/whisper-large-v3")),
            servers(a_server("rennes-1", f"http://127.0.0.1:{server.port}")),
        ) as router,
    ):
        answer = await router.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper", "language": "fr"},
            files={"file": ("a.wav", sound, "audio/wav")},
        )

        assert (answer.text, answer.headers["content-type"]) == ("WEBVTT", "text/vtt")
        (request,) = server.requests
        assert sound in request.body
        assert b'name="model"\r\n\r\nopenai/whisper-large-v3\r\n' in request.body
        assert request.header(b"content-type")[0].startswith(b"multipart/form-data; boundary=")
        assert (await router.only_closed()).usage_source is UsageSource.NONE


async def test_bodies_reach_the_server_byte_for_byte_but_for_what_is_ours(
    router: Router, upstream: Simulated
) -> None:
    body = (
        b'{ "model":"gpt-oss-120b" , "messages":[{"role":"user","content":"\\u00e9\xc3\xa9"}],'
        b' "guided_json": {"a":1.0e0}, "priority": 2,"max_tokens":1, "routing-mode":"any" }'
    )

    assert (await router.post(content=body)).status_code == 200

    (request,) = asked(upstream)
    assert request.body == (
        b'{ "model":"served-name" , "messages":[{"role":"user","content":"\\u00e9\xc3\xa9"}],'
        b' "guided_json": {"a":1.0e0}, "max_tokens":1 }'
    )
    assert router.opened()[0].priority == 2


async def test_what_clients_say_in_headers_stays_with_us(
    router: Router, upstream: Simulated
) -> None:
    headers = {"cookie": "a=b", "x-secret": "c", "x-request-id": "client's own"}
    await router.post(json=chat(), headers=headers)

    (request,) = asked(upstream)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["x-request-id"] == router.opened()[0].id
    assert KEY not in str(request.headers)
    assert not {"cookie", "x-secret"} & set(request.headers)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-123", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
async def test_a_clients_request_id_is_kept_and_recorded(
    router: Router, given: str, kept: bool
) -> None:
    answer = await router.post(json=chat(), headers={"x-request-id": given})

    opened = router.opened()[0]
    assert answer.headers["x-request-id"] == (given if kept else opened.id)
    assert opened.client_request_id == (given if kept else "")


async def test_headers_of_servers_stay_with_us(router: Router) -> None:
    answer = await router.post(json=chat())

    assert set(answer.headers) <= {"content-type", "content-length", "x-request-id", "date"}


async def test_an_explanation_is_given_on_request(router: Router) -> None:
    answer = await router.post(json=chat(), headers={"x-ilaas-explain": "1"})

    explanation = json.loads(answer.headers["x-ilaas-explain"])
    assert explanation["site"] in ("Rennes centre", "Reims centre")
    assert explanation["strategy"] == "round-robin"
    assert explanation["why"] == "round-robin: 2 of 2 servers free, 0 in flight here"
    assert (explanation["class"], explanation["lane"], explanation["reason"]) == (
        3,
        "class",
        "turn",
    )
    assert (explanation["candidates"], explanation["free"], explanation["mode"]) == (2, 2, "any")
    assert explanation["attempts"] == 1
    assert explanation["queued_ms"] >= 0
    assert explanation["request"] == router.opened()[0].id


async def test_anthropics_clients_get_anthropics_errors(router: Router) -> None:
    unknown = await router.post("/v1/messages", json={"model": "nope", "messages": QUESTION})
    wrong = await router.post("/v1/messages", key="wrong", json={})
    bad = await router.post("/v1/messages", json={"model": MODEL, "max_tokens": 5})

    assert unknown.json()["type"] == wrong.json()["type"] == bad.json()["type"] == "error"
    assert unknown.json()["error"]["type"] == "not_found_error"
    assert wrong.json()["error"]["type"] == "authentication_error"
    assert (bad.status_code, bad.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_models_tell_what_a_client_needs_to_know(router: Router) -> None:
    router.gateway.apply(
        names(
            a_model(*NAMES, served_name=SERVED),
            a_model(name="org/with/slashes", stage=LifecycleStage.DEPRECATED),
            a_model(name="hidden", stage=LifecycleStage.STAGING),
            alias=MODEL,
        )
    )

    listed = (await router.get("/models")).json()
    one = await router.get("/v1/models/org/with/slashes")
    alias = await router.get("/v1/models/ALIAS")

    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == [MODEL, "org/with/slashes"]
    first = listed["data"][0]
    assert first["max_model_len"] == 32_768
    assert first["capabilities"] == ["chat", "tools"]
    assert first["lifecycle"] == "production"
    assert first["sites"] == ["Reims centre", "Rennes centre"]
    assert first["load"] == {"in_flight": 0, "waiting": 0, "available_servers": 2}
    assert {"object", "created", "owned_by"} <= set(first)
    assert one.json()["id"] == "org/with/slashes"
    assert alias.json()["id"] == MODEL
    assert (await router.get("/v1/models/hidden")).status_code == 404


async def test_an_alias_is_answered_under_the_models_name(router: Router) -> None:
    router.gateway.apply(names(a_model(*NAMES, served_name=SERVED), old=MODEL))

    assert (await router.post(json=chat(model="Old"))).json()["model"] == MODEL
    assert (await router.only_closed()).opened.model_asked == "Old"


async def test_a_private_request_goes_to_the_institutions_own_servers(
    router: Router, upstream: Simulated
) -> None:
    for _ in range(3):
        body = chat(**{"routing-mode": "private-only"})
        assert (await router.post(key=RENNES_KEY, json=body)).status_code == 200
    refused = await router.post(json=chat(**{"routing-mode": "private-only"}))

    assert len(asked(upstream, "rennes-1")) == 3
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "not_hosted"


async def test_a_request_may_lower_its_class_and_never_raise_it(router: Router) -> None:
    for priority in (1, 5, 0):
        await router.post(json=chat(priority=priority))

    assert [opened.priority for opened in router.opened()] == [1, 3, 1]


async def test_some_keys_keep_the_200_of_old_when_all_is_full(tmp_path: Path) -> None:
    key = a_principal(answers_200_when_full=True, routing_mode=RoutingMode.ANY)
    async with running_router(
        tmp_path, principals(**{KEY: key}), names(a_model()), servers()
    ) as router:
        answer = await router.post(json=chat())

        assert answer.status_code == 200
        assert answer.json()["error"]["code"] == "no_server"
        closed = await router.only_closed()
        assert (closed.status, closed.http_status) == (RequestStatus.REFUSED, 200)


@pytest.fixture
async def crowded(tmp_path: Path) -> AsyncGenerator[Router]:
    """A router over one vLLM that is full from the first request that would have to wait."""
    config = {
        "servers": [
            {
                "name": "rennes-1",
                "engine": "vllm",
                "model": SERVED,
                "max_num_seqs": 1,
                "max_queued": 0,
                "seconds_per_token": 0.01,
            }
        ]
    }
    async with (
        simulated(config) as upstream,
        running_router(
            tmp_path,
            principals(),
            names(a_model("rennes-1", served_name=SERVED)),
            servers(a_server("rennes-1", upstream.url("rennes-1"))),
        ) as router,
    ):
        yield router


async def test_an_overloaded_server_that_says_200_first_is_waited_for(crowded: Router) -> None:
    """vLLM answers a stream 200, then says in its first event that it is full: nobody may hear of it."""
    async with crowded.client() as client:
        body = chat(stream=True, max_tokens=60, min_tokens=60)
        async with client.stream("POST", "/v1/chat/completions", json=body) as first:
            lines = first.aiter_lines()
            await anext(lines)
            second = await crowded.post(json=chat(stream=True))
            rest = [line async for line in lines]

    assert rest[-2] == "data: [DONE]"
    assert second.status_code == 200
    assert "error" not in second.text
    assert events(second.text)[-1] == "[DONE]"
    outcomes = [attempt.outcome for each in crowded.closed() for attempt in each.attempts]
    assert outcomes.count("ok") == 2
    assert "full" in outcomes


async def test_tools_and_schemas_pass(router: Router) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    called = await router.post(json=chat(tools=[tool], tool_choice="required", max_tokens=50))
    streamed = await router.post(
        json=chat(tools=[tool], tool_choice="required", max_tokens=50, stream=True)
    )

    (call,) = called.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert '"index":0' in streamed.text
    assert an_id(MODEL) not in streamed.text
