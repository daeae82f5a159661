"""How a server is chosen among those that fit, by strategies to which the request does not matter."""

from typing import Any, NamedTuple

import pytest

from routing.core.enums import Strategy
from routing.core.selection import STRATEGIES
from routing.core.selection.least_busy import least_busy
from routing.core.selection.round_robin import round_robin


class Option(NamedTuple):
    key: str
    in_flight: int = 0


A, B, C = Option("a"), Option("b"), Option("c")


def pick(strategy: Any, options: list[Option], last: str) -> str:
    key: str = strategy(options, None, last, 0.0).key
    return key


def turns(options: list[Option], count: int, last: str = "") -> str:
    taken = ""
    for _ in range(count):
        last = pick(round_robin, options, last)
        taken += last
    return taken


def test_every_strategy_of_the_register_is_there() -> None:
    assert STRATEGIES.keys() == set(Strategy)


@pytest.mark.parametrize("strategy", Strategy)
def test_a_lone_server_is_chosen_by_every_strategy(strategy: Strategy) -> None:
    assert pick(STRATEGIES[strategy], [B], "b") == "b"


def test_round_robin_gives_each_its_turn() -> None:
    assert turns([A, B, C], 7) == "abcabca"


def test_round_robin_goes_on_behind_a_server_that_has_gone() -> None:
    assert turns([A, C], 3, last="b") == "cac"


def test_round_robin_lets_a_new_server_in_without_shifting_the_others() -> None:
    assert turns([A, B, C], 3, last="a") == "bca"


def test_least_busy_takes_the_one_with_the_least_in_flight() -> None:
    assert pick(least_busy, [Option("a", 3), Option("b", 1), Option("c", 2)], "b") == "b"


def test_least_busy_lets_equals_take_turns() -> None:
    options = [Option("a", 1), Option("b", 2), Option("c", 1)]
    assert [pick(least_busy, options, last) for last in ("", "a", "b", "c")] == list("acca")
