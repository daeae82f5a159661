"""Percentiles, means and evenness."""

import math

import pytest

from bench.simulation.arithmetic import fair_shares, jain, mean, percentile


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2.5
    assert percentile([0, 100], 99) == 99


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7], 99) == 7


def test_nothing_has_no_percentile_and_no_mean() -> None:
    assert math.isnan(percentile([], 50))
    assert math.isnan(mean([math.nan]))


def test_a_mean_passes_over_what_is_no_number() -> None:
    assert mean([1.0, math.nan, 3.0]) == 2.0


def test_evenness_is_one_for_equals_and_one_in_n_when_one_has_all() -> None:
    assert jain([2.0, 2.0, 2.0]) == pytest.approx(1.0)
    assert jain([5.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_who_asks_for_little_gets_it_all_and_the_others_share_the_rest() -> None:
    assert fair_shares({"little": 1.0, "much": 100.0, "more": 200.0}, 21.0) == {
        "little": 1.0,
        "much": 10.0,
        "more": 10.0,
    }
