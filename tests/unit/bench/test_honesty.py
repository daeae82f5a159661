"""Whether Retry-After is judged by what a client would really have waited."""

import math
from collections.abc import Sequence

import pytest

from bench.simulation.fleet import MIXED
from bench.simulation.honesty import answers_in_time, retry_after_honesty
from bench.simulation.peers.round_robin import RoundRobin
from bench.simulation.requests import Kind, Request, Status
from bench.simulation.run import Run
from bench.simulation.scenarios import SCENARIOS
from bench.simulation.world import World

END = 1000.0


def a_run(requests: Sequence[Request]) -> Run:
    world = World(RoundRobin, MIXED, seed=0)
    world.requests = list(requests)
    world.timeline.run(END)
    return Run(world, SCENARIOS["deadlines"], requests)


def a_request(arrived_at: float, **changes: object) -> Request:
    request = Request(
        id=0,
        arrived_at=arrived_at,
        institution="reims",
        priority=3,
        kind=Kind.CHAT,
        session=None,
        prompt=100,
        output=10,
        deadline=45.0,
    )
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def refused(arrived_at: float, at: float, retry_after: float) -> Request:
    return a_request(
        arrived_at, refused_at=at, decided_at=at, retry_after=retry_after, status=Status.REFUSED
    )


def served(arrived_at: float, at: float, **changes: object) -> Request:
    return a_request(arrived_at, decided_at=at, attempts=1, **changes)


def test_the_real_wait_ends_when_one_who_came_later_is_served() -> None:
    found = retry_after_honesty(
        a_run([refused(0.0, 45.0, retry_after=30.0), served(44.0, 50.0), served(46.0, 85.0)])
    )
    assert found["retry_after_error"] == pytest.approx(0.25)  # 30 s were told, 40 s were real
    assert found["retry_after_ratio"] == pytest.approx(0.75)


def test_other_classes_and_institutions_say_nothing() -> None:
    others = [served(46.0, 47.0, priority=5), served(46.0, 47.0, institution="lille")]
    found = retry_after_honesty(a_run([refused(0.0, 45.0, 30.0), *others]))
    assert math.isnan(found["retry_after_error"])
    assert found["retry_after_judged"] == 0


def test_a_wait_of_less_than_a_second_cannot_be_told_better_than_as_one() -> None:
    found = retry_after_honesty(a_run([refused(0.0, 45.0, 1.0), served(45.1, 45.2)]))
    assert found["retry_after_error"] == 0


def test_an_answer_after_the_deadline_is_late_whatever_it_says() -> None:
    late = [served(0.0, 45.1), refused(0.0, 46.0, 1.0), a_request(0.0)]
    in_time = [served(0.0, 45.0), refused(0.0, 44.9, 1.0), a_request(END - 1)]
    assert answers_in_time(a_run([*late, *in_time]))["late_answers"] == 3


def test_nobody_answers_late_to_a_client_that_left_before() -> None:
    left = a_request(0.0, left_at=10.0, is_alive=False, status=Status.HUNG_UP)
    assert answers_in_time(a_run([left]))["late_answers"] == 0
