"""A model's settings in a running router: the class told to vLLM, the longest wait, private modes, no server."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from routing.core.enums import Lane, Limiting, RequestStatus, RoutingMode, ServerState
from routing.core.table import NamesSection, Section
from routing.dispatch.messages import Grant, Refusal, Ticket
from routing.simulator import Fault, Simulated, simulated
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
    names,
    principals,
    running_router,
    servers,
    until,
)


def set_for_all(router: Router, **settings: Any) -> None:
    router.gateway.apply(names(a_model(*NAMES, served_name=SERVED, **settings)))


def told(upstream: Simulated, *server: str) -> list[object]:
    """Return the priority in each body that the servers were sent."""
    return [json.loads(request.body).get("priority") for request in asked(upstream, *server)]


async def test_vllm_is_told_the_class_lowest_number_first_once_the_setting_says_so(
    router: Router, upstream: Simulated
) -> None:
    await router.post(key=RENNES_KEY, json=chat(priority=2))
    set_for_all(router, forward_priority=True)
    for body in (chat(), chat(priority=2), chat(priority=1), chat(priority=0)):
        await router.post(key=RENNES_KEY, json=body)

    assert sorted(told(upstream), key=str) == [0, 3, 4, 4, None]


async def test_an_institutions_weight_goes_with_its_tickets(router: Router) -> None:
    weighed = msgspec.structs.replace(router.gateway.table.servers, weights={an_id("orleans"): 2.0})
    router.gateway.apply(weighed)
    weights: list[float] = []
    offer = router.gateway.dispatcher.offer

    def noting(ticket: Ticket) -> Grant | Refusal | None:
        weights.append(ticket.weight)
        return offer(ticket)

    with mock.patch.object(router.gateway.dispatcher, "offer", noting):
        await router.post(json=chat())
        await router.post(key=RENNES_KEY, json=chat())

    assert weights == [2.0, 1.0]


async def test_a_request_cannot_raise_itself_by_what_vllm_is_told(
    router: Router, upstream: Simulated
) -> None:
    set_for_all(router, forward_priority=True)
    await router.post(json=chat(priority=5))

    assert told(upstream) == [2]  # the key is of class 3


async def test_other_engines_and_paths_are_told_nothing(tmp_path: Path) -> None:
    entry = {"name": "rennes-1", "engine": "ollama", "model": SERVED}
    async with simulated({"speed": 0, "record": True, "servers": [entry]}) as upstream:
        server = a_server("rennes-1", upstream.url("rennes-1"), engine="ollama")
        model = a_model("rennes-1", served_name=SERVED, forward_priority=True)
        async with running_router(tmp_path, principals(), names(model), servers(server)) as router:
            assert (await router.post(json=chat(priority=1))).status_code == 200

        assert told(upstream, "rennes-1") == [None]


@pytest.fixture
async def full(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    """A router whose only server answers nothing and has one request, as many as it is given."""
    await upstream.set_fault("rennes-1", Fault(kind="hang"))
    async with running_router(tmp_path, principals(), *one_server(upstream)) as router:
        asking = asyncio.create_task(router.post(json=chat()))
        await until(lambda: in_flight(router) == 1)
        yield router
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def one_server(upstream: Simulated, **settings: Any) -> tuple[Section, ...]:
    settings = {"limiting": Limiting.GIVEN, "served_name": SERVED, **settings}
    server = a_server("rennes-1", upstream.url("rennes-1"), TOKEN, max_parallel=1)
    return names(a_model("rennes-1", **settings)), servers(server)


def in_flight(router: Router) -> int:
    return router.gateway.dispatcher.load().models[an_id(MODEL)].in_flight


async def test_a_request_is_refused_after_the_models_own_longest_wait(
    full: Router, upstream: Simulated
) -> None:
    full.gateway.apply(one_server(upstream, longest_wait_seconds=1)[0])

    refused = await full.post(json=chat())

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "too_many_people"
    (closed,) = full.closed()
    assert (closed.status, closed.attempts) == (RequestStatus.REFUSED, ())
    assert closed.finished_at - closed.opened.received_at < 15  # the router's own is far longer


async def test_a_row_that_makes_nobody_wait_lets_in_those_who_do(tmp_path: Path) -> None:
    entry = {"name": "rennes-1", "engine": "ollama", "model": SERVED, "seconds_per_token": 60.0}
    async with simulated({"record": True, "servers": [entry]}) as upstream:
        server = servers(a_server("rennes-1", upstream.url("rennes-1")))

        def row(limiting: Limiting) -> NamesSection:
            return names(a_model("rennes-1", served_name=SERVED, limiting=limiting))

        async with running_router(tmp_path, principals(), row(Limiting.GIVEN), server) as router:
            body = chat(max_tokens=50)
            clients = [asyncio.create_task(router.post(json=body)) for _ in range(103)]
            await until(lambda: router.gateway.waiting(an_id(MODEL)) == 3, seconds=60)

            router.gateway.apply(row(Limiting.NONE))

            assert in_flight(router) == 103
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)


@pytest.mark.parametrize("mode", ["private-first", "private-only"])
async def test_a_private_mode_is_refused_where_the_institution_hosts_nothing(
    router: Router, mode: str
) -> None:
    refused = await router.post(json=chat(**{"routing-mode": mode}))

    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("not_hosted", "routing-mode")
    assert MODEL in error["message"]
    assert router.opened() == []


async def test_a_server_in_maintenance_is_hosted_all_the_same(
    tmp_path: Path, upstream: Simulated
) -> None:
    rows = [
        a_server("rennes-1", upstream.url("rennes-1"), TOKEN, state=ServerState.DRAINING),
        a_server("reims-1", upstream.url("reims-1"), TOKEN),
    ]
    model = names(a_model(*NAMES, served_name=SERVED))
    async with running_router(tmp_path, principals(), model, servers(*rows)) as router:
        body = chat(**{"routing-mode": "private-first"})
        answer = await router.post(key=RENNES_KEY, json=body)

        assert answer.status_code == 200
        assert len(asked(upstream, "reims-1")) == 1


async def test_the_keys_own_mode_counts_when_the_request_names_none(tmp_path: Path) -> None:
    key = a_principal(routing_mode=RoutingMode.PRIVATE_ONLY)
    async with running_router(
        tmp_path, principals(**{KEY: key}), names(a_model()), servers()
    ) as router:
        refused = await router.post(json=chat())
        other = await router.post(json=chat(**{"routing-mode": "any"}))

    assert refused.json()["error"]["code"] == "not_hosted"
    assert other.json()["error"]["code"] == "no_server"


async def test_a_model_without_a_server_is_refused_by_its_field(tmp_path: Path) -> None:
    async with running_router(tmp_path, principals(), names(a_model()), servers()) as router:
        refused = await router.post(json=chat())

    assert refused.status_code == 503
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("no_server", "model")


@pytest.mark.parametrize("mode", ["nearest", "", 3, ["any"], {"any": 1}, True, "ANY"])
async def test_an_unknown_mode_is_refused_by_its_field(router: Router, mode: object) -> None:
    refused = await router.post(json=chat(**{"routing-mode": mode}))

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "routing-mode"


async def test_what_the_spool_keeps_explains_each_attempt(
    router: Router, upstream: Simulated
) -> None:
    await upstream.set_fault("reims-1", Fault(kind="reset"))
    for _ in range(2):
        assert (await router.post(json=chat())).status_code == 200

    retried = next(closed for closed in router.closed() if len(closed.attempts) == 2)
    first, second = retried.attempts
    assert first.explanation is not None
    assert second.explanation is not None
    assert (first.explanation.lane, first.explanation.candidates) == (Lane.CLASS, 2)
    assert (second.explanation.lane, second.explanation.candidates) == (Lane.RETRY, 1)
    assert first.ended_at is not None
    assert first.started_at <= first.ended_at <= second.started_at
    assert second.ended_at == retried.finished_at
