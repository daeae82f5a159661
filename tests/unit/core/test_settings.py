"""A model's settings in the decisions: the rows of the federation's table, and minimum shares of its own."""

from collections import Counter

import pytest

from routing.core.enums import Limiting, Strategy
from routing.core.request import Gauges, Grant
from tests.support.decisions import House, a_model, a_server, granted

RENNES, REIMS = a_server("rennes-1"), a_server("reims-1")
ROUND_ROBIN, LEAST_BUSY = Strategy.ROUND_ROBIN, Strategy.LEAST_BUSY


def house_of(strategy: Strategy, limiting: Limiting, most: int | None = None) -> House:
    servers = a_server("rennes-1", max_parallel=most), a_server("reims-1", max_parallel=most)
    model = a_model("rennes-1", "reims-1", strategy=strategy, limiting=limiting)
    return House(*servers, models=(model,))


def started(house: House, count: int) -> Counter[str]:
    """Ask so often and return how many each server was given; the others wait."""
    asked = [house.offer(f"t{number}") for number in range(count)]
    return Counter(each.server_id for each in asked if isinstance(each, Grant))


def test_round_robin_alone_passes_on_whatever_comes() -> None:
    assert started(house_of(ROUND_ROBIN, Limiting.NONE), 300) == {"rennes-1": 150, "reims-1": 150}


def test_round_robin_alone_still_keeps_to_an_owners_ceiling() -> None:
    assert started(house_of(ROUND_ROBIN, Limiting.NONE, most=3), 300) == {
        "rennes-1": 3,
        "reims-1": 3,
    }


def test_round_robin_with_requeue_waits_at_a_hundred_where_no_number_is_given() -> None:
    assert started(house_of(ROUND_ROBIN, Limiting.GIVEN), 300) == {"rennes-1": 100, "reims-1": 100}


def test_least_busy_with_requeue_waits_where_a_servers_own_queue_is_long() -> None:
    house = house_of(LEAST_BUSY, Limiting.STATISTICS)
    busy = Gauges(server_id="rennes-1", running=8, waiting=5, memory_use=0.5)
    house.decider.report(busy, house.clock())

    assert started(house, 20) == {"reims-1": 20}


def through(house: House, running: Grant, count: int) -> tuple[Counter[str], Grant]:
    """End what runs and what follows, one by one; return how often each class was let in, and what runs."""
    classes: Counter[str] = Counter()
    for _ in range(count):
        (decision,) = house.end(running)
        running = granted(decision)
        classes[running.id.split()[0]] += 1
    return classes, running


def test_a_models_own_minimum_shares_hold_and_change_while_requests_wait() -> None:
    one = a_server("rennes-1", max_parallel=1)
    house = House(one, models=(a_model("rennes-1", shares={1: 0.5}),))
    running = house.grant("running", prompt_estimate=2000)
    for number in range(400):
        house.offer(f"p5 {number}", priority=5, prompt_estimate=2000)
        house.offer(f"p1 {number}", priority=1, prompt_estimate=2000)

    half, running = through(house, running, 100)
    house.show(one, models=(a_model("rennes-1", shares={1: 0.1}),))
    tenth, _ = through(house, running, 200)

    assert half["p1"] == pytest.approx(50, abs=4)
    assert tenth["p1"] == pytest.approx(20, abs=4)
