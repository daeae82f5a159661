"""A budget of some euros under 200 clients, with `kill -9` of the router and the clerk in the middle."""

import asyncio
from collections import Counter
from decimal import Decimal

import httpx

from tests.support.processes import wait_for
from tests.support.product import Product

CLIENTS = 200
WORDS = 30
REQUESTS_WORTH = 120
"""How many of these requests the budget is about enough for."""
NANO = 10**9
OWNER = ("--institution", "orleans", "--application", "Atelier de rédaction")
"""Whose the demonstration's key is: an institution that has no server, so that every answer is billed."""
SETTLED_SECONDS = 60.0


def bound(product: Product, most: str) -> None:
    done = product.manage("set_budget", most, "--window", "life", *OWNER)
    assert done.returncode == 0, done.stderr


def euros(nano: int) -> str:
    return str(Decimal(nano) / NANO)


def stands(product: Product) -> tuple[int, int]:
    """Return what is used of our budget, the only one for life, and granted, both since it began."""
    ((spent, granted),) = product.rows(
        "SELECT spent, granted FROM billing_budgetgrant stand "
        "JOIN billing_budget budget ON budget.id = stand.budget_id "
        "WHERE budget.ended_at IS NULL AND budget.window = 'life'"
    )
    return spent, granted


async def ask(client: httpx.AsyncClient, model: str) -> str:
    """Return how one request ended, in a word."""
    body = {
        "model": model,
        "stream": True,
        "max_tokens": WORDS,
        "min_tokens": WORDS,
        "messages": [{"role": "user", "content": "Raconte une histoire."}],
    }
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            text = (await answer.aread()).decode()
            if answer.status_code != 200:
                return str(answer.status_code)
            return "whole" if text.rstrip().endswith("data: [DONE]") else "cut"
    except httpx.HTTPError:
        return "lost"


async def all_at_once(product: Product, *names: str) -> Counter[str]:
    """Have 200 clients ask again and again until they are refused for good; kill the parts meanwhile."""
    model = product.demo["models"][0]
    async with httpx.AsyncClient(
        base_url=product.address,
        headers={"authorization": f"Bearer {product.demo['keys']['p3']}"},
        timeout=120,
        trust_env=False,
        limits=httpx.Limits(max_connections=CLIENTS),
    ) as client:

        async def ask_on() -> list[str]:
            seen: list[str] = []
            while seen.count("whole") < 5 and seen.count("429") < 3 and len(seen) < 60:
                seen.append(await ask(client, model))
                if seen[-1] in ("lost", "503", "502"):
                    await asyncio.sleep(0.5)  # a router is being started
            return seen

        clients = [asyncio.create_task(ask_on()) for _ in range(CLIENTS)]
        for name in names:
            await asyncio.sleep(1.0)  # in the middle of answers
            await asyncio.to_thread(product.kill, name)
        return Counter(word for seen in await asyncio.gather(*clients) for word in seen)


def settled(product: Product) -> bool:
    return product.rows("SELECT count(*) FROM routing_spoolopen") == [(0,)]


async def alone(product: Product) -> str:
    async with httpx.AsyncClient(
        base_url=product.address,
        headers={"authorization": f"Bearer {product.demo['keys']['p3']}"},
        timeout=120,
        trust_env=False,
    ) as client:
        return await ask(client, product.demo["models"][0])


async def alone_until_refused(product: Product) -> list[str]:
    seen = [await alone(product)]
    while seen[-1] != "429" and len(seen) < REQUESTS_WORTH:
        seen.append(await alone(product))
    return seen


async def test_it_is_passed_by_one_request_at_most_and_nothing_stays_reserved(
    product: Product,
) -> None:
    bound(product, "1000000")
    try:
        before, _granted = stands(product)
        assert await alone(product) == "whole"
        wait_for(lambda: stands(product)[0] > before, "the first cost", SETTLED_SECONDS)
        one = stands(product)[0] - before
        limit = before + REQUESTS_WORTH * one
        bound(product, euros(limit))

        seen = await all_at_once(product, "router", "clerk", "router")
        product.wait_ready()
        assert seen["lost"] + seen["cut"] > 0, "routers were killed in the middle of answers"
        assert (await alone_until_refused(product))[-1] == "429"

        wait_for(lambda: settled(product), "every request accounted", SETTLED_SECONDS)
        wait_for(lambda: stands(product)[0] > limit - one, "the last one stored", SETTLED_SECONDS)
        spent, granted = stands(product)
        assert spent <= limit + one
        assert granted <= max(limit, spent)

        # What is left after it is raised can be used whole: nothing was kept back for the dead.
        bound(product, euros(spent + 2 * one))
        async with asyncio.timeout(SETTLED_SECONDS):
            while await alone(product) != "whole":  # within a second the router goes by it
                await asyncio.sleep(0.1)
        assert await alone_until_refused(product) == ["whole", "429"]
    finally:
        bound(product, "none")
