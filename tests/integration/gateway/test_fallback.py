"""A critical model whose servers are all away: its declared fallback answers, says so, and is accounted as itself."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from routing.core.enums import Lane, Limiting, Measure, RequestStatus, RoutingMode
from routing.core.minimum import BEGINS_AFTER
from routing.core.table import Minimum, Model, Principal, ServersSection
from routing.simulator import Fault, Simulated, simulated
from tests.support.product import free_port
from tests.support.prometheus import Scraped, scrape
from tests.support.router import (
    KEY,
    MODEL,
    RENNES_KEY,
    Router,
    a_limit,
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
    until,
)

OTHER = "mistral-small"
SERVED = "org/served"
ALL = ("rennes-1", "reims-1", "lille-1")
HEADER = "x-ilaas-fallback"


@pytest.fixture
async def upstream() -> AsyncGenerator[Simulated]:
    config = {
        "speed": 0,
        "record": True,
        "servers": [{"name": name, "engine": "vllm", "model": SERVED} for name in ALL],
    }
    async with simulated(config) as running:
        yield running


def critical(*on: str, **changes: Any) -> Model:
    minimum = Minimum(servers=2, sites=2, protected_class=3, fallback_id=an_id(OTHER))
    return a_model(*on, served_name=SERVED, **{"minimum": minimum, **changes})


def other(**changes: object) -> Model:
    return a_model("lille-1", name=OTHER, served_name=SERVED, **changes)


def every_server(upstream: Simulated) -> ServersSection:
    return servers(*(a_server(name, upstream.url(name)) for name in ALL))


@pytest.fixture
async def router(tmp_path: Path, upstream: Simulated) -> AsyncGenerator[Router]:
    async with running_router(
        tmp_path,
        principals(),
        names(critical("rennes-1", "reims-1"), other()),
        every_server(upstream),
        metrics_port=free_port(),
    ) as running:
        yield running


async def break_both(upstream: Simulated, fault: Fault) -> None:
    for name in ALL[:2]:
        await upstream.set_fault(name, fault)


async def lose_both(router: Router, upstream: Simulated) -> None:
    """Have both servers refuse connections, and the router know it."""
    await break_both(upstream, Fault(kind="refuse"))
    for name in ALL[:2]:
        router.gateway.dispatcher.probed(an_id(name), ok=False)


FAULTS = [Fault(kind="refuse"), Fault(kind="close"), Fault(kind="status", status=500)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_with_no_server_left_the_fallback_answers_under_its_own_name(
    router: Router, upstream: Simulated, stream: bool
) -> None:
    await lose_both(router, upstream)

    answer = await router.post(json=chat(stream=stream))

    assert answer.status_code == 200
    assert answer.headers[HEADER] == OTHER
    assert f'"model":"{OTHER}"' in answer.text.replace('": "', '":"')
    assert MODEL not in answer.text
    if stream:
        assert events(answer.text)[-1] == "[DONE]"
    closed = await router.only_closed()
    assert (closed.opened.model_asked, closed.opened.model_id) == (MODEL, an_id(MODEL))
    assert (closed.model_id, closed.fallback_id) == (an_id(OTHER), an_id(OTHER))
    assert closed.status is RequestStatus.OK
    assert [each.server_id for each in closed.attempts] == [an_id("lille-1")]
    assert closed.completion_tokens > 0
    await router.idle()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{each.kind}{each.status}" for each in FAULTS])
async def test_a_request_that_failed_at_every_server_goes_on_at_the_fallback(
    router: Router, upstream: Simulated, fault: Fault, stream: bool
) -> None:
    await break_both(upstream, fault)

    answer = await router.post(json=chat(stream=stream))

    assert (answer.status_code, answer.headers[HEADER]) == (200, OTHER)
    closed = await router.only_closed()
    assert [each.outcome for each in closed.attempts][-1] == "ok"
    assert len(closed.attempts) == 3
    assert closed.attempts[-1].explanation is not None
    assert closed.attempts[-1].explanation.lane is Lane.RETRY
    await router.idle()


async def test_who_waits_goes_to_the_fallback_when_the_last_server_dies(
    tmp_path: Path, upstream: Simulated
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="hang"))
    async with running_router(
        tmp_path,
        principals(),
        names(critical("rennes-1", limiting=Limiting.GIVEN), other()),
        servers(
            a_server("rennes-1", upstream.url("rennes-1"), max_parallel=1),
            a_server("lille-1", upstream.url("lille-1")),
        ),
    ) as router:
        running = asyncio.create_task(router.post(json=chat()))
        await until(lambda: router.gateway.dispatcher.load().servers[an_id("rennes-1")].in_flight)
        waiting = asyncio.create_task(router.post(json=chat()))
        await until(lambda: router.gateway.waiting(an_id(MODEL)))

        router.gateway.dispatcher.probed(an_id("rennes-1"), ok=False)
        answer = await waiting

        assert (answer.status_code, answer.headers[HEADER]) == (200, OTHER)
        running.cancel()


async def test_after_the_first_byte_nothing_is_asked_of_the_fallback(
    router: Router, upstream: Simulated
) -> None:
    await break_both(upstream, Fault(kind="reset", after_bytes=600))

    answer = await router.post(json=chat(stream=True))

    assert answer.status_code == 200
    assert HEADER not in answer.headers
    assert "answer_interrupted" in answer.text
    closed = await router.only_closed()
    assert (closed.fallback_id, closed.model_id) == ("", an_id(MODEL))


async def test_a_client_may_decline_the_fallback(router: Router, upstream: Simulated) -> None:
    await lose_both(router, upstream)

    answer = await router.post(json=chat(), headers={HEADER: "none"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_server")
    assert HEADER not in answer.headers
    closed = await router.only_closed()
    assert (closed.status, closed.fallback_id) == (RequestStatus.REFUSED, "")


@pytest.mark.parametrize(
    "principal",
    [
        a_principal(models=(an_id(MODEL),)),
        a_principal(labels=("hds",)),
        a_principal("rennes", routing_mode=RoutingMode.PRIVATE_FIRST),
    ],
    ids=["a key without that model", "a data class", "a private mode"],
)
async def test_what_the_key_is_bound_to_holds_for_the_fallback(
    tmp_path: Path, upstream: Simulated, principal: Principal
) -> None:
    labelled = {name: frozenset({"hds"}) for name in ALL[:2]}
    async with running_router(
        tmp_path,
        principals(**{KEY: principal}),
        names(critical("rennes-1", "reims-1"), other()),
        servers(
            *(
                a_server(name, upstream.url(name), labels=labelled.get(name, frozenset()))
                for name in ALL
            )
        ),
    ) as router:
        assert (await router.post(json=chat())).status_code == 200
        await lose_both(router, upstream)

        answer = await router.post(json=chat())

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_server")
        assert HEADER not in answer.headers
        assert not upstream.requests("lille-1")
        await router.idle()


async def test_a_path_that_the_fallback_lacks_is_not_asked_there(
    tmp_path: Path, upstream: Simulated
) -> None:
    lacking = other()
    lacking = a_model(
        name=OTHER,
        deployments=tuple(
            type(each)(
                id=each.id,
                server_id=each.server_id,
                served_name=each.served_name,
                endpoints=("embeddings",),
            )
            for each in lacking.deployments
        ),
    )
    async with running_router(
        tmp_path, principals(), names(critical("rennes-1"), lacking), every_server(upstream)
    ) as router:
        await lose_both(router, upstream)

        answer = await router.post(json=chat())

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_server")


async def test_there_is_one_step_only(tmp_path: Path, upstream: Simulated) -> None:
    minimum = Minimum(servers=1, sites=1, protected_class=1, fallback_id=an_id("third"))
    async with running_router(
        tmp_path,
        principals(),
        names(
            critical("rennes-1"),
            a_model("reims-1", name=OTHER, served_name=SERVED, minimum=minimum),
            a_model("lille-1", name="third", served_name=SERVED),
        ),
        every_server(upstream),
    ) as router:
        await lose_both(router, upstream)

        answer = await router.post(json=chat())

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_server")
        assert (await router.only_closed()).fallback_id == ""


async def test_a_limit_is_counted_once_and_told_as_itself(
    tmp_path: Path, upstream: Simulated
) -> None:
    async with running_router(
        tmp_path,
        principals(a_limit(Measure.REQUESTS_PER_MINUTE, 2)),
        names(critical("rennes-1", "reims-1"), other()),
        every_server(upstream),
    ) as router:
        await lose_both(router, upstream)

        answers = [await router.post(json=chat()) for _ in range(3)]

        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [HEADER in each.headers for each in answers] == [True, True, False]


async def test_metrics_tell_what_is_missing_and_who_stood_in(
    router: Router, upstream: Simulated
) -> None:
    port = router.gateway.settings.metrics_port
    assert port is not None
    before = Scraped(await scrape(port))
    assert before.value("ilaas_minimum_service_missing", model=MODEL) == 0
    assert before.value("ilaas_minimum_service_missing", model=OTHER) is None

    await lose_both(router, upstream)
    await router.post(json=chat())

    told = Scraped(await scrape(port))
    assert told.value("ilaas_minimum_service_missing", model=MODEL) == 2
    assert told.value("ilaas_fallback_requests_total", model=MODEL, fallback=OTHER) == 1
    assert told.value("ilaas_tokens_total", model=OTHER, kind="completion") == 5
    assert told.value("ilaas_tokens_total", model=MODEL, kind="completion") is None


async def test_lower_classes_are_told_why_they_make_way(
    tmp_path: Path, upstream: Simulated
) -> None:
    await upstream.set_fault("rennes-1", Fault(kind="hang"))
    low = a_principal("lille", priority=1)
    async with running_router(
        tmp_path,
        principals(**{KEY: low, RENNES_KEY: a_principal("rennes", priority=5)}),
        names(critical("rennes-1", limiting=Limiting.GIVEN)),
        servers(a_server("rennes-1", upstream.url("rennes-1"), max_parallel=1)),
    ) as router:
        running = asyncio.create_task(router.post(json=chat(), key=RENNES_KEY))
        await until(lambda: router.gateway.dispatcher.load().servers[an_id("rennes-1")].in_flight)
        await until(lambda: _sheds(router), BEGINS_AFTER + 5)

        answer = await router.post(json=chat())
        protected = asyncio.create_task(router.post(json=chat(), key=RENNES_KEY))
        await until(lambda: router.gateway.waiting(an_id(MODEL)) == 1)

        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert answer.json()["error"]["code"] == "minimum_service"
        closed = await router.only_closed()
        assert (closed.status, closed.error_code) == (RequestStatus.REFUSED, "minimum_service")
        for task in (running, protected):
            task.cancel()


def _sheds(router: Router) -> bool:
    minimum = router.gateway.dispatcher.load().models[an_id(MODEL)].minimum
    return minimum is not None and minimum.sheds
