"""Whole runs: repeatable, the same load for every policy, and nothing is left behind."""

import math
from pathlib import Path

import pytest

from bench.simulation.__main__ import seeds
from bench.simulation.fleet import MIXED
from bench.simulation.goals import AT_LEAST, AT_MOST, OF_BEST, Criterion, table
from bench.simulation.policies import POLICIES
from bench.simulation.requests import Kind, Status
from bench.simulation.runs import Job, Result, load, run, save
from bench.simulation.scenarios import SCENARIOS
from bench.simulation.world import World

UNTIL = 40.0


def a_world(policy: str, scenario: str, until: float = UNTIL) -> World:
    world = World(POLICIES[policy], MIXED, seed=7)
    SCENARIOS[scenario].prepare(world)
    world.timeline.run(until)
    return world


def a_result(policy: str, seed: int = 0, **measures: float) -> Result:
    return Result("ramp50", policy, policy, seed, 0.1, measures)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_serves_a_light_load_and_keeps_its_counts(policy: str) -> None:
    world = a_world(policy, "mix0.8")
    assert any(request.status is Status.DONE for request in world.requests)
    at_engines = sum(server.running + len(server.waiting) for server in world.servers)
    assert world.policy.in_flight() == at_engines


def test_the_same_seed_brings_the_same_figures() -> None:
    first, again = run(Job("hang", "ours", 3)), run(Job("hang", "ours", 3))
    assert repr(first.measures) == repr(again.measures)


def test_what_does_not_follow_an_answer_is_the_same_for_every_policy() -> None:
    asked = [
        [
            (each.arrived_at, each.institution, each.priority, each.prompt, each.output)
            for each in a_world(policy, "mix1.0", 20.0).requests
            if each.kind is Kind.BATCH
        ]
        for policy in ("ours", "llmd")
    ]
    assert asked[0] == asked[1] != []


def test_clients_that_hang_up_leave_no_place_taken() -> None:
    assert run(Job("hangups", "ours", 7)).measures["places_leaked"] == 0


def test_a_newcomer_is_given_work() -> None:
    world = a_world("ours", "join", until=110.0)
    assert world.newcomer is not None
    assert world.newcomer.running > 0


def test_seeds_are_numbers_and_ranges() -> None:
    assert seeds("100-102,7,101") == [100, 101, 102, 7]


@pytest.mark.parametrize("text", ["", "x", "3-1", "1-"])
def test_what_names_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid|before"):
        seeds(text)


def test_what_was_kept_is_read_again_with_its_gaps(tmp_path: Path) -> None:
    save([a_result("ours", known=1.5, unknown=math.nan)], tmp_path / "results.json")
    (kept,) = load(tmp_path / "results.json")
    assert kept.measures["known"] == 1.5
    assert math.isnan(kept.measures["unknown"])


def test_a_goal_is_held_or_missed_and_a_missing_figure_misses_it() -> None:
    least = Criterion(1, "ramp50", "m", AT_MOST, 0.5, "seconds")
    most = Criterion(1, "ramp50", "m", AT_LEAST, 0.98, "share")
    ahead = Criterion(1, "ramp50", "m", OF_BEST, 0.98, "tokens")
    assert least.is_met(0.5, math.nan)
    assert not least.is_met(0.51, math.nan)
    assert not least.is_met(math.nan, math.nan)
    assert most.is_met(0.98, math.nan)
    assert ahead.is_met(98.0, 100.0)
    assert not ahead.is_met(97.9, 100.0)


def test_the_table_of_goals_names_the_best_peer_and_says_what_was_not_run() -> None:
    results = [
        a_result("ours", ttft_p99_P5=0.4),
        a_result("llmd", ttft_p99_P5=0.7),
        a_result("chwbl", ttft_p99_P5=9.0),
    ]
    lines = table(results).splitlines()
    assert lines[2].endswith("| 0.400 [0.400–0.400] | 0.700 llmd | 1 of 1 | held |")
    assert "not run" in lines[3]
