"""Clients of aristote-dispatcher meet here what they know, or a difference that the docs name with its reason."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from routing.gateway.settings import Limits
from routing.simulator import Fault, Simulated, simulated
from tests.contract.golden import (
    CASES,
    CHAT_KEY,
    DIFFERENT,
    KEY,
    MODEL,
    UNHOSTED,
    Answer,
    Case,
    chat,
)
from tests.support.router import (
    Router,
    a_model,
    a_principal,
    a_server,
    names,
    principals,
    running_router,
    servers,
    until,
)

DOCS = Path(__file__).resolve().parents[2] / "docs" / "aristote-dispatcher.md"
TOKEN = "sk-upstream"


@asynccontextmanager
async def federation(tmp_path: Path, case: Case) -> AsyncGenerator[tuple[Router, Simulated]]:
    """One server of each of two institutions, one model on each; the keys are of the first."""
    server = {"engine": "vllm", "model": MODEL, "api_key": TOKEN}
    config = {
        "speed": 0,
        "record": True,
        "servers": [server | {"name": "rennes-1"}, server | {"name": "reims-1", "model": UNHOSTED}],
    }
    async with simulated(config) as upstream:
        if case.fault:
            await upstream.set_fault("rennes-1", case.fault)
        most = {"max_parallel": 1}
        async with running_router(
            tmp_path,
            principals(
                **{
                    KEY: a_principal("rennes", priority=1),
                    CHAT_KEY: a_principal("rennes", answers_200_when_full=True),
                }
            ),
            names(a_model("rennes-1", name=MODEL), a_model("reims-1", name=UNHOSTED)),
            servers(
                a_server("rennes-1", upstream.url("rennes-1"), TOKEN, **most),
                a_server("reims-1", upstream.url("reims-1"), TOKEN),
            ),
            limits=Limits(wait_seconds=0.3),
            cors_origins=frozenset({"*"}),
        ) as router:
            yield router, upstream


@asynccontextmanager
async def occupied(router: Router, upstream: Simulated, case: Case) -> AsyncGenerator[None]:
    """Let somebody have the only place of the server, when the case wants it so."""
    if not case.busy:
        yield
        return
    await upstream.set_fault("rennes-1", Fault(kind="hang", times=1))
    holder = asyncio.create_task(router.post(key=KEY, json=chat()))
    await until(lambda: upstream.requests("rennes-1"))
    try:
        yield
    finally:
        holder.cancel()


async def ask(router: Router, case: Case) -> httpx.Response:
    content = case.raw or (json.dumps(case.body).encode() if case.body is not None else None)
    typed = {"content-type": case.content_type} if content else {}
    headers = {"authorization": f"Bearer {KEY}"} if case.headers is None else case.headers
    async with router.client(key="") as client:
        return await client.request(
            case.method, case.path, headers=typed | headers, content=content
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_client_is_answered_as_before_or_as_the_docs_say(
    tmp_path: Path, case: Case
) -> None:
    async with (
        federation(tmp_path, case) as (router, upstream),
        occupied(router, upstream, case),
    ):
        answer = await ask(router, case)

    assert answer.status_code == case.expected.status, answer.text
    assert case.expected.text in answer.text
    if answer.is_error or (case.busy and case.name not in DIFFERENT):
        assert isinstance(answer.json()["error"]["message"], str)


async def test_a_server_sees_the_same_path_body_and_token_without_what_was_meant_for_us(
    tmp_path: Path,
) -> None:
    body = chat(unknown={"field": [1, 2.50]}, **{"routing-mode": "any"}, priority=1)
    case = Case(name="", path="/v1/chat/completions", body=body, then=Answer(200))
    async with federation(tmp_path, case) as (router, upstream):
        await ask(router, case)
        (seen,) = [each for each in upstream.requests("rennes-1") if each.method == "POST"]

    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["content-type"] == "application/json"
    assert json.loads(seen.body) == chat(unknown={"field": [1, 2.50]})


def test_the_docs_list_each_difference_with_its_reason() -> None:
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)

    assert {name: (int(then), int(now)) for name, then, now, _ in rows} == {
        name: (case.then.status, case.expected.status) for name, case in DIFFERENT.items()
    }
    assert all(len(reason) > 10 for *_, reason in rows)
