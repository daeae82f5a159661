"""What a client gets from two institutions' servers when all goes well."""

import openai

from routing.core.enums import RequestStatus, UsageSource
from routing.simulator import Simulated
from tests.integration.gateway.conftest import NAMES, asked
from tests.support.router import KEY, MODEL, Router, an_id, chat, events


async def test_an_answer_comes_back_under_the_public_name(
    router: Router, upstream: Simulated
) -> None:
    answer = await router.post(json=chat())

    assert answer.status_code == 200
    assert answer.json()["model"] == MODEL
    assert answer.json()["choices"][0]["message"]["content"]
    closed = await router.only_closed()
    assert closed.status is RequestStatus.OK
    assert closed.usage_source is UsageSource.SERVER
    assert closed.completion_tokens == answer.json()["usage"]["completion_tokens"] == 5
    assert closed.opened.institution_id == an_id("orleans")
    assert closed.model_served == "served-name"
    await router.idle()


async def test_servers_of_two_institutions_take_turns(router: Router, upstream: Simulated) -> None:
    for _ in range(4):
        assert (await router.post(json=chat())).status_code == 200

    assert [len(asked(upstream, name)) for name in NAMES] == [2, 2]


async def test_a_stream_keeps_its_usage_to_itself_unless_it_is_asked_for(router: Router) -> None:
    silent = await router.post(json=chat(stream=True))
    telling = await router.post(json=chat(stream=True, stream_options={"include_usage": True}))

    assert "usage" not in silent.text
    assert events(silent.text)[-1] == events(telling.text)[-1] == "[DONE]"
    assert '"usage"' in events(telling.text)[-2]
    assert "served-name" not in silent.text
    assert [closed.usage_source for closed in router.closed()] == [UsageSource.SERVER] * 2
    assert [closed.completion_tokens for closed in router.closed()] == [5, 5]


async def test_the_official_client_works(router: Router) -> None:
    async with openai.AsyncOpenAI(base_url=router.url + "/v1", api_key=KEY) as client:
        listed = [model.id async for model in await client.models.list()]
        retrieved = await client.models.retrieve(MODEL)
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Bonjour"}],
            max_tokens=5,
            stream=True,
        )
        words = [chunk.choices[0].delta.content async for chunk in stream]

    assert listed == [retrieved.id] == [MODEL]
    assert len([word for word in words if word]) == 5
