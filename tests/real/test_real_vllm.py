"""The official OpenAI client against a real vLLM, through the product."""

from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.real.conftest import PUBLIC_NAME, SERVED_NAME
from tests.support.processes import wait_for
from tests.support.product import Product

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Bonjour !"}]
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Rennes", "Reims"]}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def client(product: Product) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{product.address}/v1", api_key=product.demo["keys"]["p3"], max_retries=0
    ) as made:
        wait_for(
            lambda: PUBLIC_NAME in [model.id for model in made.models.list()], "the model listed"
        )
        yield made


def test_a_plain_answer_bears_the_public_name(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=PUBLIC_NAME,
        messages=QUESTION,
        max_tokens=8,
    )

    assert answer.model == PUBLIC_NAME
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 8


def test_a_stream_ends_with_usage_when_asked_and_is_accounted(
    product: Product, client: openai.OpenAI
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=PUBLIC_NAME,
        messages=QUESTION,
        max_tokens=8,
        extra_body={"min_tokens": 8},
        stream=True,
    ) as answer:
        text = answer.read().decode(errors="replace")
    request_id = answer.headers["x-request-id"]

    assert SERVED_NAME not in text.replace(PUBLIC_NAME, "")
    assert '"usage":{' not in text
    assert text.rstrip().endswith("data: [DONE]")
    record = (
        "SELECT completion_tokens, usage_source, status, model_served"
        " FROM billing_usagerecord WHERE id = %s"
    )
    wait_for(lambda: product.rows(record, request_id), "the record", 5)
    assert product.rows(record, request_id) == [(8, "server", "ok", SERVED_NAME)]


def test_a_tool_call_is_streamed_with_its_index(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(
        model=PUBLIC_NAME,
        messages=QUESTION,
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=200,
        stream=True,
    )

    calls = [
        call for chunk in chunks for each in chunk.choices for call in each.delta.tool_calls or ()
    ]
    assert {call.index for call in calls} == {0}
    assert calls[0].function is not None
    assert calls[0].function.name == "get_weather"


def test_the_model_is_retrieved_though_vllm_itself_cannot(client: openai.OpenAI) -> None:
    model = client.models.retrieve(PUBLIC_NAME)

    assert model.id == PUBLIC_NAME
    assert SERVED_NAME not in model.model_dump_json().replace(PUBLIC_NAME, "")


def test_a_context_that_overflows_is_the_clients_mistake(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            model=PUBLIC_NAME,
            messages=[{"role": "user", "content": "mot " * 4000}],
            max_tokens=8,
        )

    answer = client.chat.completions.create(
        model=PUBLIC_NAME,
        messages=QUESTION,
        max_tokens=1,
    )
    assert answer.usage is not None


def test_a_wrong_key_is_refused(product: Product, vllm: str) -> None:
    with (
        openai.OpenAI(base_url=f"{product.address}/v1", api_key="sk-no", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
