"""The live experiment's own arithmetic: who asks, how much the servers can do, and what the report says."""

import random
from collections import Counter

import pytest

from bench.ramp.asking import Answer, Status
from bench.ramp.load import Load, Overload, Ramp, _user_number
from bench.ramp.report import GOAL, report, times
from bench.ramp.running import Run
from bench.ramp.stage import (
    AT_ONCE,
    BATCH_SLOWDOWN,
    HOSTS,
    OURS,
    PLAIN,
    PREFILL,
    SECONDS_PER_TOKEN,
    Arm,
    capacity,
    lengths,
)
from routing.simulator import ServerConfig
from routing.simulator.engine import Batch, Job
from routing.simulator.text import Script


def an_answer(
    arm: Arm = OURS, priority: int = 5, first_token: float | None = 0.5, **changes: object
) -> Answer:
    fields: dict[str, object] = {
        "arm": arm.title,
        "priority": priority,
        "is_owner": False,
        "at": 50.0,
        "ended": 95.0,
        "first_token": first_token,
        "tokens": 10,
        "status": Status.OK,
    }
    return Answer(**(fields | changes))  # type: ignore[arg-type]  # a test's own changes


LOAD = Overload(seconds=100.0, seed=1, factor=1.5)


def told(*answers: Answer, load: Load = LOAD) -> str:
    return report(load, Run(list(answers), [], {"router": 0.1}))


def test_half_of_the_users_are_in_each_class_and_a_fifth_are_owners() -> None:
    users = [_user_number(number) for number in range(50)]

    assert Counter((who.priority, who.is_owner) for who in users) == {
        (5, False): 20,
        (1, False): 20,
        (5, True): 5,
        (1, True): 5,
    }


def test_the_ramp_has_the_predecessors_proportions() -> None:
    assert Ramp(seconds=300.0, seed=1, users=50).window == (60.0, 240.0)


def test_the_shares_of_an_overload_are_all_of_it_and_owners_fit_on_their_server() -> None:
    shares = [share for _, _, share in Overload.SHARES]
    owners = shares[-1] * LOAD.factor * capacity()

    assert sum(shares) == pytest.approx(1)
    assert owners < capacity() / len(HOSTS)


def test_the_capacity_is_what_the_simulated_servers_do() -> None:
    chance = random.Random(7)
    batch = Batch(
        ServerConfig(
            name="s",
            engine="vllm",
            model="m",
            max_num_seqs=AT_ONCE,
            seconds_per_token=SECONDS_PER_TOKEN,
            batch_slowdown=BATCH_SLOWDOWN,
            prefill_tokens_per_s=PREFILL,
        )
    )
    count, seconds = 3000, 0.0
    for number in range(count):
        prompt, answer = lengths(chance)
        script = Script(tokens=("x",) * answer, finish="length")
        batch.add(Job(str(number), "m", [prompt], [script]).sequences)
    while (step := batch.begin()) is not None:
        seconds += step
        batch.end()

    assert len(HOSTS) * count / seconds == pytest.approx(capacity(), rel=0.1)


def test_who_got_no_token_counts_with_the_time_it_waited() -> None:
    gave_up = an_answer(first_token=None, status=Status.GAVE_UP)

    assert times([gave_up, an_answer(first_token=2.0)], OURS.title, 5) == [45.0, 2.0]


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "**missed**"), (1.1, "held")])
def test_the_ratios_are_judged_by_the_goal(factor: float, verdict: str) -> None:
    text = told(
        an_answer(first_token=1.0),
        an_answer(PLAIN, first_token=factor * GOAL),
        an_answer(priority=1, first_token=1.0, is_owner=True),
        an_answer(priority=1, first_token=factor * GOAL),
    )

    assert text.count(verdict) == 2
    assert f"{factor * GOAL:.1f} times" in text


def test_the_goal_is_one_for_an_overload() -> None:
    plateau = [an_answer(first_token=1.0), an_answer(PLAIN, first_token=2.0)]

    text = told(*plateau, load=Ramp(seconds=100.0, seed=1, users=50))

    assert "2.0 times better" in text
    assert "goal" not in text


def test_nothing_measured_is_judged_neither_way() -> None:
    text = told(an_answer(at=1.0))  # before the window

    assert "held" not in text
    assert "missed" not in text


def test_what_was_asked_outside_of_the_window_is_left_out() -> None:
    text = told(an_answer(first_token=1.0), an_answer(first_token=30.0, at=LOAD.window[0] - 0.1))

    assert "| waiting room | P5, guests | 1 | 1.00 | 1.00 |" in text
