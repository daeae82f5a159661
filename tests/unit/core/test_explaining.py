"""Every grant says why: by which way the request was let through, and why this server was chosen."""

from typing import Any

import pytest

from routing.core.enums import Lane, Limiting, Reason, RoutingMode, Strategy
from routing.core.request import Ended, Grant
from routing.core.retry import Failure
from tests.support.decisions import House, a_model, a_server, a_ticket, an_explanation, granted

RENNES, REIMS = a_server("rennes-1"), a_server("reims-1")
PREFIX = (11, 22, 33)


def house_of(strategy: Strategy, **changes: Any) -> House:
    model = a_model("rennes-1", "reims-1", strategy=strategy, **changes)
    return House(RENNES, REIMS, models=(model,))


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        (Strategy.ROUND_ROBIN, Reason.TURN),
        (Strategy.LEAST_BUSY, Reason.LEAST_IN_FLIGHT),
        (Strategy.AFFINITY, Reason.CHEAPEST),
    ],
)
def test_among_several_the_strategy_is_the_reason(strategy: Strategy, reason: Reason) -> None:
    grant = house_of(strategy).grant("t1")

    assert grant.explain == an_explanation(strategy=strategy, reason=reason, candidates=2, free=2)


def test_the_only_server_and_the_only_free_one_are_told_apart() -> None:
    house = House(a_server("rennes-1", max_parallel=1), a_server("reims-1", max_parallel=1))

    first, second = house.grant("t1"), house.grant("t2")

    assert (first.explain.candidates, first.explain.free) == (2, 2)
    assert (second.explain.reason, second.explain.free) == (Reason.ONLY_FREE, 1)
    assert House(RENNES).grant("t3").explain.reason is Reason.ONLY_ONE


def test_a_prompt_that_was_read_before_is_the_reason_with_its_tokens() -> None:
    house = house_of(Strategy.AFFINITY, limiting=Limiting.LEARNT)
    first = house.grant("t1", prefix=PREFIX, prompt_estimate=900)
    house.decider.report(
        Ended(id="t1", attempt=1, outcome="ok", prompt_tokens=900, completion_tokens=10),
        house.clock(),
    )

    second = house.grant("t2", prefix=PREFIX, prompt_estimate=900)

    assert first.explain.known_tokens == 0
    assert second.server_id == first.server_id
    assert second.explain.reason is Reason.KNOWN_PROMPT
    assert 0 < second.explain.known_tokens <= 910


def test_what_the_server_ran_already_is_counted_without_the_request_itself() -> None:
    house = House(RENNES)

    assert [house.grant(f"t{n}").explain.in_flight for n in range(3)] == [0, 1, 2]


def test_the_time_waited_is_told_and_what_was_waited_elsewhere_counts() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    running = house.grant("running")
    assert house.offer(a_ticket("waits", waited_ms=500)) is None
    house.clock.advance(2.0)

    (decision,) = house.end(running)

    assert granted(decision).explain.waited_ms == 2500


def test_a_retry_is_told_with_the_time_since_the_attempt_before_failed() -> None:
    house = House(RENNES, REIMS)
    first = house.grant("t1")
    house.clock.advance(7.0)

    second = house.fail(first, Failure.LOST)

    assert isinstance(second, Grant)
    assert (second.explain.lane, second.explain.waited_ms) == (Lane.RETRY, 0)
    assert second.explain.reason is Reason.ONLY_ONE


def test_an_owner_at_its_own_server_is_told_from_one_that_is_a_guest_elsewhere() -> None:
    own = {"institution_id": "rennes", "mode": RoutingMode.PRIVATE_FIRST}
    house = House(a_server("rennes-1", max_parallel=1), REIMS)

    at_home = house.grant("t1", **own)
    elsewhere = house.grant("t2", **own)

    assert (at_home.server_id, at_home.explain.lane) == ("rennes-1", Lane.OWNER)
    assert at_home.explain.mode is RoutingMode.PRIVATE_FIRST
    assert (elsewhere.server_id, elsewhere.explain.lane) == ("reims-1", Lane.CLASS)


def test_a_turn_of_the_minimum_share_is_told() -> None:
    house = House(a_server("rennes-1", max_parallel=1))
    running = house.grant("running", priority=5, prompt_estimate=40_000)
    house.offer("low", priority=1)
    for number in range(30):
        house.offer(f"high {number}", priority=5, prompt_estimate=4000)
    lanes: dict[str, Lane] = {}
    while not lanes or running.id != "low":
        (decision,) = house.end(running)
        running = granted(decision)
        lanes[running.id] = running.explain.lane

    assert lanes.pop("low") is Lane.SHARE
    assert set(lanes.values()) == {Lane.CLASS}


def test_a_server_on_trial_is_told() -> None:
    house = House(RENNES)
    house.eject("rennes-1")
    house.clock.advance(100.0)

    assert house.grant("t1").explain.reason is Reason.TRIAL
