"""The simulator is itself checked: it answers the captured requests as the real servers did."""

from collections.abc import Iterator

import httpx
import pytest

from routing.simulator import SimulatedInThread, simulated_in_thread
from tests.contract.comparison import (
    KEY,
    Capture,
    ask,
    assert_alike,
    captures,
    metric_kinds,
    metric_names,
    named,
)

ENGINES: dict[str, dict[str, object]] = {
    "vllm-0.32.0": {"engine": "vllm", "model": "tiny-llama", "max_model_len": 1024},
    "vllm-0.32.0-embed": {"engine": "vllm", "model": "tiny-embed", "kind": "embed"},
    "litellm-proxy": {"engine": "litellm", "model": "tiny-llama", "max_model_len": 65_536},
    "llama-cpp-python-0.3.36": {"engine": "llamacpp", "model": "tiny-llama", "max_model_len": 1024},
}
FULL: dict[str, object] = {
    **ENGINES["vllm-0.32.0"],
    "name": "full",
    "max_num_seqs": 1,
    "max_queued": 0,
}
COOLING: dict[str, object] = {**ENGINES["litellm-proxy"], "name": "cooling"}
# Refusals in whose words a library speaks, or an id, a port or a line of its code.
IN_FORM = {
    "litellm-proxy/err_bad_json",
    "llama-cpp-python-0.3.36/chat_developer_role",
    "llama-cpp-python-0.3.36/chat_json_schema",
    "llama-cpp-python-0.3.36/chat_tool_history",
    "llama-cpp-python-0.3.36/err_bad_schema",
    "llama-cpp-python-0.3.36/err_temperature_string",
}


@pytest.fixture(scope="module")
def servers() -> Iterator[SimulatedInThread]:
    alike = [{"name": name, "api_key": KEY, **about} for name, about in ENGINES.items()]
    with simulated_in_thread({"servers": alike, "speed": 0}) as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as given:
        yield given


CASES = [
    pytest.param(engine, name, capture, id=f"{engine}/{name}")
    for engine in ENGINES
    for name, capture in captures(engine)
]


@pytest.mark.parametrize(("engine", "name", "capture"), CASES)
def test_a_captured_request_is_answered_as_the_real_server_did(
    servers: SimulatedInThread, client: httpx.Client, engine: str, name: str, capture: Capture
) -> None:
    answer = ask(client, servers.url(engine), capture)

    assert_alike(answer, capture, in_form=f"{engine}/{name}" in IN_FORM)


@pytest.mark.parametrize("name", ["full", "full_stream"])
def test_an_overloaded_vllm_refuses_a_stream_after_it_said_200(
    client: httpx.Client, name: str
) -> None:
    capture = named("vllm-0.32.0-full", name)
    with simulated_in_thread({"servers": [FULL]}) as busy:
        held = {"model": "tiny-llama", "prompt": "x", "max_tokens": 900, "stream": True}
        with client.stream("POST", f"{busy.url('full')}/v1/completions", json=held) as running:
            pieces = running.iter_raw()
            next(pieces)
            answer = ask(client, busy.url("full"), capture)

    assert_alike(answer, capture)
    assert answer.text == capture.body


def test_metrics_have_the_names_labels_and_kinds_of_the_real_ones(client: httpx.Client) -> None:
    capture = named("vllm-0.32.0-full", "metrics_under_load")
    with simulated_in_thread({"servers": [FULL]}) as running:
        answer = ask(client, running.url("full"), capture)

    assert answer.headers["content-type"] == capture.headers["content-type"]
    assert metric_names(answer.text) == metric_names(capture.body)
    assert metric_kinds(answer.text) == metric_kinds(capture.body)


def test_a_proxy_lets_everybody_wait_after_one_request_that_its_server_does_not_know(
    client: httpx.Client,
) -> None:
    with simulated_in_thread({"servers": [{**COOLING, "api_key": KEY}]}) as running:
        url = running.url("cooling")
        embeddings = named("litellm-proxy-cooling", "embeddings")
        assert_alike(ask(client, url, embeddings), embeddings)
        for name in ("messages", "rerank"):
            capture = named("litellm-proxy-cooling", name)
            assert_alike(ask(client, url, capture), capture, in_form=True)
