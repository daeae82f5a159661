"""Servers that hang, or come back with another model: what waits there is moved, and they are tried again soon."""

import pytest

from routing.core.candidates import LOST_SECONDS
from routing.core.enums import Health, Limiting
from routing.core.health import BACKOFF_SECONDS, HOLD_CAP
from routing.core.request import Decision, FirstToken, Gauges, Grant, Recall, Refusal, RefusalCode
from routing.core.retry import MAX_ATTEMPTS, Failure
from tests.support.decisions import MODEL, House, a_model, a_server

RENNES, REIMS = a_server("rennes-1", max_parallel=1), a_server("reims-1")


def probe(house: House, server_id: str, failure: Failure | None) -> list[Decision]:
    """Have the server probed, now that it is due."""
    house.decider.probes_due(house.clock())
    return house.decider.probed(
        server_id, ok=failure is None, failure=failure, now=house.clock.advance(1)
    )


def probe_twice(house: House, server_id: str, failure: Failure) -> list[Decision]:
    assert probe(house, server_id, failure) == []
    house.clock.advance(BACKOFF_SECONDS)
    return probe(house, server_id, failure)


def on(house: House, server_id: str, *tickets: str, **changes: object) -> Grant:
    """Ask until the last request was given to this server."""
    for ticket in tickets:
        grant = house.grant(ticket, **changes)
        if grant.server_id == server_id:
            return grant
    raise AssertionError(f"nothing went to {server_id}")


@pytest.mark.parametrize("failure", [Failure.TIMEOUT, Failure.CONNECT])
@pytest.mark.parametrize("stream", [True, False])
def test_what_hangs_at_a_server_that_two_probes_found_gone_is_tried_elsewhere(
    failure: Failure, stream: bool
) -> None:
    house = House(RENNES, REIMS)
    hanging = on(house, "rennes-1", "t1", "t2", stream=stream)

    told = probe_twice(house, "rennes-1", failure)

    assert told == [Recall(id=hanging.id, attempt=1, why=Failure.TIMEOUT)]
    moved = house.fail(hanging, Failure.TIMEOUT)
    assert isinstance(moved, Grant)
    assert moved.server_id == "reims-1"


def test_a_stream_that_has_begun_stays_where_it_is() -> None:
    house = House(RENNES, REIMS)
    begun = on(house, "rennes-1", "t1", "t2", stream=True)
    house.decider.report(FirstToken(id=begun.id, attempt=1, after_ms=100), house.clock())

    assert probe_twice(house, "rennes-1", Failure.TIMEOUT) == []


def test_what_no_other_server_could_do_stays_where_it_is() -> None:
    house = House(RENNES)
    house.grant("t1")

    assert probe_twice(house, "rennes-1", Failure.TIMEOUT) == []


def test_a_server_that_answers_its_probe_badly_keeps_what_it_runs() -> None:
    house = House(RENNES, REIMS)
    on(house, "rennes-1", "t1", "t2")

    assert probe_twice(house, "rennes-1", Failure.SERVER_ERROR) == []


def test_a_server_that_runs_another_model_is_asked_again_soon_and_keeps_its_health() -> None:
    house = House(a_server("rennes-1"))

    told = house.fail(house.grant("t1"), Failure.NO_MODEL)

    assert isinstance(told, Refusal)
    assert house.health("rennes-1") == Health.HEALTHY
    assert house.decider.load(house.clock()).models[MODEL].available_servers == 0
    refused = house.offer("t2")
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.ALL_DOWN
    assert refused.retry_after_ms == pytest.approx(1000 * LOST_SECONDS)
    house.clock.advance(LOST_SECONDS)
    house.grant("t3")


def test_who_waits_for_a_server_that_lost_the_model_hears_of_it() -> None:
    house = House(RENNES)
    running = house.grant("t1")
    assert house.offer("t2") is None

    told = house.decider.retry(running.id, 1, Failure.NO_MODEL, house.clock())

    codes = {each.id: each.code for each in told if isinstance(each, Refusal)}
    assert codes == {"t1": RefusalCode.ATTEMPTS, "t2": RefusalCode.ALL_DOWN}


def test_a_request_outlives_any_number_of_full_answers_as_long_as_it_may_wait() -> None:
    house = House(a_server("rennes-1"), a_server("reims-1", max_parallel=1))
    grants = {grant.server_id: grant for grant in (house.grant("t1"), house.grant("t2"))}
    at_rennes, at_reims = grants["rennes-1"], grants["reims-1"]
    for attempt in range(1, 2 * MAX_ATTEMPTS):
        assert at_rennes.attempt == attempt
        assert house.fail(at_rennes, Failure.FULL) is None
        (granted,) = house.pass_time(HOLD_CAP)
        assert isinstance(granted, Grant)
        at_rennes = granted
    assert house.fail(at_rennes, Failure.FULL) is None

    (served,) = house.end(at_reims)

    assert (served.id, served.server_id) == (at_rennes.id, "reims-1")  # type: ignore[union-attr]  # a grant


def test_full_answers_do_not_count_as_failures() -> None:
    house = House(*(a_server(f"rennes-{number}") for number in range(MAX_ATTEMPTS + 1)))
    grant = house.grant("t1")
    for why in (Failure.FULL, *[Failure.LOST] * (MAX_ATTEMPTS - 1), Failure.FULL):
        told = house.fail(grant, why) or next(iter(house.pass_time(HOLD_CAP)))
        assert isinstance(told, Grant)
        grant = told

    refused = house.fail(grant)

    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.ATTEMPTS


@pytest.mark.parametrize("limiting", [Limiting.LEARNT, Limiting.STATISTICS])
def test_an_empty_server_that_says_it_is_full_gets_one_request_when_no_other_takes_any(
    limiting: Limiting,
) -> None:
    servers = a_server("rennes-1"), a_server("reims-1", max_parallel=1)
    house = House(*servers, models=(a_model("rennes-1", "reims-1", limiting=limiting),))
    full = Gauges(server_id="rennes-1", running=0, waiting=100, memory_use=1.0)
    house.decider.report(full, house.clock())

    assert house.grant("t1").server_id == "reims-1"
    tried = house.grant("t2")
    assert tried.server_id == "rennes-1"
    assert house.offer("t3") is None
    (following,) = house.end(tried)
    assert following.id == "t3"
