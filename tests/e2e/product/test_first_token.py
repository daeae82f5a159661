"""The official OpenAI client against the product, and the requests in the portal a moment later."""

from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.support.processes import wait_for
from tests.support.product import Product, signed_in

SECONDS_TO_THE_PORTAL = 5.0
QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Quel temps fait-il à Rennes ? weather"}
]
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def client(product: Product) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{product.address}/v1", api_key=product.demo["keys"]["p3"], max_retries=0
    ) as made:
        yield made


def models_of_two_institutions(product: Product) -> list[str]:
    by_institution = {server["institution"]: server["model"] for server in product.demo["servers"]}
    chosen = list(dict.fromkeys(by_institution.values()))[:2]
    assert len(chosen) == 2
    return chosen


def test_an_answer_comes_from_each_of_two_institutions(
    product: Product, client: openai.OpenAI
) -> None:
    for model in models_of_two_institutions(product):
        answer = client.chat.completions.create(
            model=model,
            messages=QUESTION,
            max_tokens=16,
        )

        assert answer.model == model
        assert answer.choices[0].message.content
        assert answer.usage is not None
        assert 0 < answer.usage.completion_tokens <= 16


def test_a_stream_brings_its_words_one_by_one_and_its_usage_when_asked(
    product: Product, client: openai.OpenAI
) -> None:
    chunks = list(
        client.chat.completions.create(
            model=product.demo["models"][0],
            messages=QUESTION,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([word for word in words if word]) > 3
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 12


def test_a_stream_that_asks_for_no_usage_sees_none(product: Product, client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model=product.demo["models"][0],
            messages=QUESTION,
            max_tokens=8,
            stream=True,
        )
    )

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_a_tool_is_called(product: Product, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=product.demo["models"][0],
        messages=QUESTION,
        tools=[TOOL],
        tool_choice="required",
    )

    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].type == "function"
    assert calls[0].function.name == "get_weather"


def test_models_are_listed_and_retrieved_one_by_one(
    product: Product, client: openai.OpenAI
) -> None:
    listed = [model.id for model in client.models.list()]

    assert len(listed) == len(set(listed))
    assert set(product.demo["models"]) <= set(listed)  # other tests of this copy may bring more
    assert client.models.retrieve(listed[0]).id == listed[0]


def test_a_wrong_key_is_refused_in_the_clients_own_terms(product: Product) -> None:
    with (
        openai.OpenAI(
            base_url=f"{product.address}/v1", api_key="sk-nobody", max_retries=0
        ) as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.models.list()

    assert refused.value.status_code == 401


def test_a_model_that_nobody_has_is_named_in_the_refusal(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(
            model="no-such-model",
            messages=QUESTION,
        )

    assert "no-such-model" in str(refused.value)


def test_the_portal_shows_a_request_within_seconds(product: Product) -> None:
    """The demonstration's `rennes` key belongs to Rennes, whose IT department sees its usage."""
    answer = httpx.post(
        f"{product.address}/v1/chat/completions",
        headers={"authorization": f"Bearer {product.demo['keys']['rennes']}"},
        json={"model": product.demo["models"][0], "messages": QUESTION, "max_tokens": 5},
        timeout=30,
        trust_env=False,
    )
    request_id = answer.headers["x-request-id"]

    with signed_in(product.address, product.demo["accounts"]["rennes_dsi"]) as portal:
        wait_for(
            lambda: request_id in portal.get("/usage/?scope=institution").text,
            "the request on the usage page",
            SECONDS_TO_THE_PORTAL,
        )
