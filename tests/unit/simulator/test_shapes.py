"""What the captures do not show: tools, the engines known from documentation, and bodies of every kind."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.simulator import Simulated, simulated, simulated_in_thread
from tests.support.sounds import wav

ENGINES = ("vllm", "litellm", "llamacpp", "ollama", "lmdeploy")
KEY = "sk-rennes"
HELLO = [{"role": "user", "content": "Bonjour"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CHOSEN = {"type": "function", "function": {"name": "get_weather"}}
CONFIG: dict[str, Any] = {
    "servers": [
        *({"name": name, "engine": name, "model": "m", "api_key": KEY} for name in ENGINES),
        {"name": "embedder", "engine": "vllm", "model": "e", "kind": "embed"},
        {"name": "listener", "engine": "vllm", "model": "w", "kind": "speech"},
        {"name": "painter", "engine": "litellm", "model": "p", "kind": "images"},
        {"name": "ollama-embedder", "engine": "ollama", "model": "e", "kind": "embed"},
        {"name": "short", "engine": "ollama", "model": "m", "max_model_len": 64},
        {"name": "short-lmdeploy", "engine": "lmdeploy", "model": "m", "max_model_len": 64},
    ],
    "speed": 0,
}


@pytest.fixture
async def servers() -> AsyncIterator[Simulated]:
    async with simulated(CONFIG) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as given:
        yield given


@pytest.fixture
async def official(servers: Simulated) -> AsyncIterator[dict[str, openai.AsyncOpenAI]]:
    made = {
        name: openai.AsyncOpenAI(base_url=f"{servers.url(name)}/v1", api_key=KEY, max_retries=0)
        for name in ENGINES
    }
    yield made
    for each in made.values():
        await each.close()


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_official_client_reads_an_answer_and_a_stream_of_the_same_words(
    official: dict[str, openai.AsyncOpenAI], engine: str
) -> None:
    asked: Any = {"model": "m", "messages": HELLO, "max_tokens": 12}
    whole = await official[engine].chat.completions.create(**asked)
    stream = await official[engine].chat.completions.create(**asked, stream=True)
    said = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    assert whole.choices[0].message.content == said
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 12


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_tool_that_is_named_is_called_whole_and_in_pieces_with_an_index(
    official: dict[str, openai.AsyncOpenAI], engine: str
) -> None:
    asked: Any = {"model": "m", "messages": HELLO, "tools": [WEATHER], "tool_choice": CHOSEN}
    whole = await official[engine].chat.completions.create(**asked)
    stream = await official[engine].chat.completions.create(**asked, stream=True)
    deltas = [c.choices[0].delta async for c in stream if c.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or []]

    assert whole.choices[0].message.tool_calls is not None
    called: Any = whole.choices[0].message.tool_calls[0]
    assert called.function.name == calls[0].function.name == "get_weather"
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert arguments == called.function.arguments
    assert {call.index for call in calls} == {0}
    assert "city" in json.loads(arguments)


@pytest.mark.parametrize("engine", ["vllm", "litellm", "ollama", "lmdeploy"])
async def test_a_tool_is_called_by_what_the_question_names_and_not_after_its_answer(
    official: dict[str, openai.AsyncOpenAI], engine: str
) -> None:
    question: Any = {"role": "user", "content": "What is the weather?"}
    answered: Any = {"role": "tool", "tool_call_id": "1", "content": "12 °C"}
    asked: Any = {"model": "m", "tools": [WEATHER]}
    first = await official[engine].chat.completions.create(**asked, messages=[question])
    second = await official[engine].chat.completions.create(**asked, messages=[question, answered])

    assert first.choices[0].finish_reason == "tool_calls"
    assert second.choices[0].message.tool_calls is None


@pytest.mark.parametrize("engine", ["vllm", "litellm", "ollama", "lmdeploy"])
async def test_usage_comes_at_the_end_of_a_stream_when_it_is_asked_for(
    official: dict[str, openai.AsyncOpenAI], engine: str
) -> None:
    stream = await official[engine].chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Bonjour"}],
        max_tokens=7,
        stream=True,
        stream_options={"include_usage": True},
    )
    usages = [chunk.usage async for chunk in stream]

    assert usages[-1] is not None
    assert usages[-1].completion_tokens == 7
    assert not any(usages[:-1])


@pytest.mark.parametrize("engine", ENGINES)
async def test_without_the_key_nothing_is_served(servers: Simulated, engine: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.get(f"{servers.url(engine)}/v1/models")

    assert answer.status_code == (500 if engine == "litellm" else 401)


async def test_ollamas_own_chat_is_a_line_of_json_for_each_piece(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    url = f"{servers.url('ollama')}/api/chat"
    body = {"model": "m:latest", "messages": HELLO, "options": {"num_predict": 5}}
    streamed = await client.post(url, json=body)
    whole = await client.post(url, json={**body, "stream": False})
    lines = [json.loads(line) for line in streamed.text.splitlines()]

    assert streamed.headers["content-type"] == "application/x-ndjson"
    assert [line["done"] for line in lines] == [False] * 5 + [True]
    assert (
        "".join(line["message"]["content"] for line in lines) == whole.json()["message"]["content"]
    )
    assert (lines[-1]["done_reason"], lines[-1]["eval_count"]) == ("length", 5)
    assert whole.json()["prompt_eval_count"] > 0


async def test_ollamas_own_chat_gives_a_tools_arguments_as_an_object(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "weather"}], "tools": [WEATHER]}
    answer = await client.post(f"{servers.url('ollama')}/api/chat", json=body)
    said = [json.loads(line)["message"] for line in answer.text.splitlines()]

    called = [call["function"] for message in said for call in message.get("tool_calls", [])]
    assert [each["name"] for each in called] == ["get_weather"]
    assert isinstance(called[0]["arguments"]["city"], str)


@pytest.mark.parametrize(
    ("path", "key"),
    [("/api/version", "version"), ("/api/tags", "models"), ("/api/ps", "models")],
)
async def test_ollama_tells_what_it_has(
    servers: Simulated, client: httpx.AsyncClient, path: str, key: str
) -> None:
    answer = await client.get(servers.url("ollama") + path)

    assert answer.json()[key]


async def test_ollama_generates_shows_and_embeds(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    url, embedder = servers.url("ollama"), servers.url("ollama-embedder")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    body = {"model": "m", "prompt": "x", "stream": False, "format": schema}
    generated = await client.post(f"{url}/api/generate", json=body)
    shown = await client.post(f"{url}/api/show", json={"model": "m"})
    embedded = await client.post(f"{embedder}/api/embed", json={"model": "e", "input": ["a", "b"]})

    assert isinstance(json.loads(generated.json()["response"])["n"], int)
    assert shown.json()["model_info"]["llama.context_length"] == 32_768
    assert len(embedded.json()["embeddings"]) == 2


async def test_ollama_cuts_a_long_prompt_and_lmdeploy_answers_it_with_nothing(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    long = {"model": "m", "messages": [{"role": "user", "content": "mot " * 200}]}
    cut = await client.post(f"{servers.url('short')}/v1/chat/completions", json=long)
    empty = await client.post(f"{servers.url('short-lmdeploy')}/v1/chat/completions", json=long)

    assert cut.json()["choices"][0]["message"]["content"]
    choice = empty.json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")


async def test_lmdeploys_errors_are_flat(servers: Simulated, client: httpx.AsyncClient) -> None:
    url = f"{servers.url('lmdeploy')}/v1/chat/completions"
    unknown = await client.post(url, json={"model": "other", "messages": HELLO})
    unread = await client.post(url, json={"model": "m", "messages": 3})

    assert (unknown.status_code, unknown.json()["object"]) == (404, "error")
    assert (unread.status_code, list(unread.json())) == (422, ["detail"])


async def test_an_embedder_gives_unit_vectors_as_numbers_or_packed(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    url = f"{servers.url('embedder')}/v1/embeddings"
    plain = await client.post(url, json={"model": "e", "input": ["a", "a", "b"]})
    packed = await client.post(url, json={"model": "e", "input": "a", "encoding_format": "base64"})
    numbers = await client.post(url, json={"model": "e", "input": [[1, 2, 3], [4]]})
    vectors = [each["embedding"] for each in plain.json()["data"]]

    assert vectors[0] == vectors[1] != vectors[2]
    assert sum(each**2 for each in vectors[0]) == pytest.approx(1)
    assert isinstance(packed.json()["data"][0]["embedding"], str)
    assert numbers.json()["usage"]["prompt_tokens"] == 4


async def test_a_reranker_puts_the_best_first_and_keeps_as_many_as_were_asked(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    body = {"model": "e", "query": "q", "documents": ["a", "b", {"text": "c"}], "top_n": 2}
    answer = await client.post(f"{servers.url('embedder')}/v1/rerank", json=body)
    results = answer.json()["results"]

    scores = [each["relevance_score"] for each in results]
    assert len(results) == 2
    assert scores == sorted(scores, reverse=True)


fields = {
    name: st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=2)
    | st.just(HELLO)
    | st.just([WEATHER])
    | st.just({"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}})
    for name in (
        *("messages", "prompt", "input", "query", "documents", "model", "n", "max_tokens"),
        *("stream", "stream_options", "tools", "tool_choice", "response_format", "temperature"),
        *("options", "format", "min_tokens", "ignore_eos", "top_n", "system", "encoding_format"),
    )
}
PATHS = (
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/responses"),
    *("/v1/messages", "/v1/messages/count_tokens", "/tokenize"),
    *("/api/chat", "/api/generate", "/api/embed", "/api/show"),
)
bodies = st.fixed_dictionaries({}, optional=fields).flatmap(
    lambda body: st.sampled_from([body, {"model": "m", **body}, {**body, "model": "m"}])
)


def test_no_body_whatever_breaks_a_simulator() -> None:
    with simulated_in_thread(CONFIG) as running, httpx.Client(trust_env=False) as client:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}

        @settings(max_examples=300, deadline=None)
        @given(
            st.sampled_from([server["name"] for server in CONFIG["servers"]]),
            st.sampled_from(PATHS),
            bodies.map(json.dumps) | st.text(max_size=20) | st.just("[" * 100_000),
        )
        def ask(name: str, path: str, body: str) -> None:
            content = body.encode("utf-8", "replace")
            answer = client.post(running.url(name) + path, content=content, headers=headers)
            assert "The simulator failed" not in answer.text

        ask()


async def test_a_recording_gets_a_text_and_its_seconds(
    servers: Simulated, client: httpx.AsyncClient
) -> None:
    speaker = openai.AsyncOpenAI(base_url=f"{servers.url('listener')}/v1", api_key=KEY)
    sound = ("a.wav", wav(2_300), "audio/wav")

    said = await speaker.audio.transcriptions.create(model="w", file=sound)
    verbose = await speaker.audio.transcriptions.create(
        model="w", file=sound, response_format="verbose_json"
    )
    text = await speaker.audio.transcriptions.create(
        model="w", file=sound, response_format="text", language="en"
    )
    await speaker.close()

    assert said.text == verbose.text
    assert said.usage is not None
    assert (said.usage.type, said.usage.model_dump()["seconds"]) == ("duration", 3)
    assert float(verbose.duration) == 2.3
    assert text
    path = f"{servers.url('listener')}/v1/audio/translations"
    for files in ({"file": b"no sound"}, {"other": b"no file"}):
        assert (await client.post(path, data={"model": "w"}, files=files)).status_code == 400


async def test_images_are_as_many_as_are_asked_for(servers: Simulated) -> None:
    painter = openai.AsyncOpenAI(base_url=f"{servers.url('painter')}/v1", api_key=KEY)

    made = await painter.images.generate(model="p", prompt="un phare", n=3)
    with pytest.raises(openai.BadRequestError):
        await painter.images.generate(model="p", prompt="un phare", n=11)
    await painter.close()

    assert made.data is not None
    assert [base64.b64decode(each.b64_json or "")[:4] for each in made.data] == [b"\x89PNG"] * 3
