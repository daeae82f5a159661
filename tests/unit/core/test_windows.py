"""Counts of what happened lately."""

from hypothesis import given
from hypothesis import strategies as st

from routing.core.windows import RecentCount


def test_what_happened_just_now_counts_in_full() -> None:
    recent = RecentCount(10.0)
    for _ in range(5):
        recent.add(100.0)
    assert recent.total(100.0) == 5
    assert recent.total(109.9) == 5


def test_it_leaves_evenly_over_the_next_window() -> None:
    recent = RecentCount(10.0)
    for _ in range(8):
        recent.add(100.0)
    assert [recent.total(now) for now in (110.0, 115.0, 117.5)] == [8, 4, 2]


def test_after_two_windows_nothing_is_left() -> None:
    recent = RecentCount(10.0)
    recent.add(100.0)
    assert recent.total(120.0) == 0
    assert recent.total(1e9) == 0


@given(st.lists(st.floats(0, 100), max_size=200).map(sorted))
def test_it_is_never_above_two_windows_nor_below_what_is_in_the_present_one(
    times: list[float],
) -> None:
    recent = RecentCount(10.0)
    for time in times:
        recent.add(time)
    total = recent.total(100.0)
    assert -1e-9 <= total <= sum(time > 80.0 for time in times) + 1e-9
    assert total <= len(times)
