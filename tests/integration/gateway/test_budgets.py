"""Budgets as clients meet them, with a clerk that stands in: what is refused, what waits, and that it holds."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from routing.core.budgets import WAIT_SECONDS
from routing.core.enums import BudgetScope, BudgetUnit, RequestStatus
from routing.core.pricing import Price, Standing, Standings, cost
from routing.core.table import Budget
from routing.core.usage import PICTURE_TOKENS
from routing.dispatch.frames import ROUTER_SOCKET, AskBudgets, Hello, encode, read_frame
from routing.gateway.schemas import JsonBody
from tests.integration.gateway.conftest import NAMES, SERVED
from tests.support.router import (
    MODEL,
    RENNES_KEY,
    Router,
    a_model,
    an_id,
    chat,
    names,
    principals,
    until,
)

PRICE = Price(prompt=3, cached=1, completion=7)
CLIENTS = 200


def a_budget(unit: BudgetUnit = BudgetUnit.NANO_EUROS) -> Budget:
    return Budget(id="b", scope=BudgetScope.APPLICATION, unit=unit, name="Orléans")


def give(router: Router, *budgets: Budget) -> None:
    """Have the application of Orléans these budgets, and the model its price."""
    section = principals()
    by_owner = {an_id("application of orleans"): budgets}
    router.gateway.apply(msgspec.structs.replace(section, budgets=by_owner))
    router.gateway.apply(names(a_model(*NAMES, served_name=SERVED, name=MODEL, price=PRICE)))


def tell(
    router: Router, granted: int, limit: int, *, spent: int = 0, renewed_at: int | None = None
) -> None:
    standing = Standing(
        budget_id="b", spent=spent, granted=granted, limit=limit, renewed_at=renewed_at
    )
    router.gateway.hear_of_budgets(Standings(router.gateway.incarnation, (0, 0), (standing,)))


def purse(router: Router) -> Any:
    (found,) = router.gateway.dispatcher._decider.budgets._purses.values()
    return found


def used(router: Router) -> int:
    """What the closing lines say that was used."""
    return sum(
        cost(PRICE, "chat/completions", end.prompt_tokens, end.cached_tokens, end.completion_tokens)
        for end in router.closed()
        if end.status is RequestStatus.OK
    )


async def test_one_that_is_used_up_is_told_whose_it_is_and_until_when(router: Router) -> None:
    give(router, a_budget())
    tell(router, 5, 5, spent=5, renewed_at=4_000_000_000)

    answer = await router.post(json=chat())

    assert answer.status_code == 429
    error = answer.json()["error"]
    assert (error["code"], error["type"]) == ("insufficient_quota", "rate_limit_error")
    assert error["message"].startswith(
        "A budget is used up: the budget in euros of application ‘Orléans’; it begins anew in "
    )
    assert int(answer.headers["retry-after"]) > 1000
    (end,) = router.closed()
    assert (end.status, end.prompt_tokens) == (RequestStatus.REFUSED, 0)
    assert (await router.post(key=RENNES_KEY, json=chat())).status_code == 200


async def test_without_a_word_of_the_accounts_it_waits_two_seconds_and_is_refused_for_later(
    router: Router,
) -> None:
    give(router, a_budget())
    began = asyncio.get_running_loop().time()

    answer = await router.post(json=chat())

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "budget_unknown")
    assert asyncio.get_running_loop().time() - began >= WAIT_SECONDS


async def test_what_an_answer_has_used_is_counted_with_its_closing_line(router: Router) -> None:
    give(router, a_budget())
    tell(router, 10**9, 10**9)

    for stream in (False, True):
        assert (await router.post(json=chat(stream=stream))).status_code == 200
    await router.idle()

    assert purse(router).used == used(router) > 0
    assert purse(router).reserved == 0


async def test_a_picture_and_each_of_several_prompts_are_reserved_where_there_is_a_budget(
    router: Router,
) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    asked = chat(messages=[{"role": "user", "content": [picture]}], max_tokens=5)
    give(router, a_budget(BudgetUnit.TOKENS))
    tell(router, 10**6, 10**6)
    reserved: list[int] = []
    admit = router.gateway.dispatcher._decider.budgets.admit

    def watch(*arguments: Any) -> Any:
        found = admit(*arguments)
        reserved.append(purse(router).reserved)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(router.gateway.dispatcher._decider.budgets, "admit", watch)
        await router.post(json=asked)
        await router.idle()
        many = {"model": MODEL, "prompt": ["a"] * 9, "max_tokens": 100}
        await router.post("/v1/completions", json=many)

    assert reserved[0] > PICTURE_TOKENS
    assert 900 < reserved[1] < 1000


async def test_without_budgets_nothing_more_is_read_of_a_prompt(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[JsonBody] = []

    def reading(body: JsonBody) -> int:
        read.append(body)
        return 9

    monkeypatch.setattr(JsonBody, "prompt_most", property(reading))
    give(router, a_budget())
    tell(router, 10**9, 10**9)
    assert (await router.post(json=chat())).status_code == 200
    assert len(read) == 1
    router.gateway.apply(principals())
    assert (await router.post(json=chat())).status_code == 200
    assert len(read) == 1


async def test_200_clients_at_once_pass_it_by_one_request_at_the_most(router: Router) -> None:
    give(router, a_budget())
    one = cost(PRICE, "chat/completions", 60, 0, 5)
    most = 20 * one
    tell(router, most, most)

    async with router.client() as client:
        answers = await asyncio.gather(
            *(client.post("/v1/chat/completions", json=chat()) for _ in range(CLIENTS))
        )
    await router.idle()

    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert most - one <= used(router) <= most + one
    assert purse(router).used == used(router)
    assert purse(router).reserved == 0


@asynccontextmanager
async def a_clerk(router: Router, limit: int) -> AsyncGenerator[list[AskBudgets]]:
    """Grant over the socket what is asked for, up to the limit; yield what was asked."""
    path = router.gateway.settings.run_dir / ROUTER_SOCKET
    reader, writer = await asyncio.open_unix_connection(path)
    asked: list[AskBudgets] = []
    assert isinstance(await read_frame(reader), Hello)
    writer.write(encode(router.gateway.table.principals))

    async def answer() -> None:
        while (frame := await read_frame(reader)) is not None:
            if isinstance(frame, AskBudgets):
                asked.append(frame)
                granted = min(limit, max(1, frame.needs["b"]))
                standing = Standing(budget_id="b", spent=0, granted=granted, limit=limit)
                writer.write(encode(Standings(router.gateway.incarnation, (0, 0), (standing,))))

    answering = asyncio.create_task(answer())
    try:
        await until(lambda: len(router.gateway.tell_need.__self__._clerks))  # type: ignore[attr-defined]
        yield asked
    finally:
        answering.cancel()
        writer.close()


async def test_slices_are_asked_for_while_clients_wait(router: Router) -> None:
    give(router, a_budget(BudgetUnit.REQUESTS))

    async with a_clerk(router, limit=30) as asked, router.client() as client:
        answers = await asyncio.gather(
            *(client.post("/v1/chat/completions", json=chat()) for _ in range(50))
        )
    await router.idle()

    assert [answer.status_code for answer in answers].count(200) == 30
    assert asked[0].needs == {"b": 0}
    assert max(frame.needs["b"] for frame in asked) <= 30
    assert purse(router).reserved == 0


async def test_a_client_that_leaves_while_it_waits_for_a_budget_leaves_nothing(
    router: Router,
) -> None:
    give(router, a_budget())
    budgets = router.gateway.dispatcher._decider.budgets
    asking = asyncio.create_task(router.post(json=chat()))
    await until(lambda: budgets.waiting)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await router.idle()

    assert budgets.waiting == ()
    (end,) = router.closed()
    assert end.status is RequestStatus.ABANDONED


async def test_words_to_another_router_are_not_heard(router: Router) -> None:
    give(router, a_budget())
    standing = Standing(budget_id="b", spent=0, granted=9, limit=9)

    router.gateway.hear_of_budgets(Standings("another", (0, 0), (standing,)))

    assert purse(router).standing is None
