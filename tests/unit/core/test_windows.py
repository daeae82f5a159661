"""Counts of what happened lately."""

from hypothesis import given
from hypothesis import strategies as st

from routing.core.windows import BusyRate, RecentCount


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


def test_a_line_goes_on_as_fast_as_it_did_while_anybody_stood_in_it() -> None:
    line = BusyRate(30.0)
    for start in (0.0, 10.0):  # two seconds of a line each, then nobody
        line.begin(start)
        for second in (1, 2):
            line.note(start + second, 100.0)
        line.end(start + 2)
    assert line.seconds_for(200.0, 15.0) == 2.0


def test_a_line_that_has_stood_still_will_as_long_again() -> None:
    line = BusyRate(30.0)
    assert line.seconds_for(100.0, 0.0) == 0.0
    line.begin(0.0)
    assert line.seconds_for(100.0, 8.0) == 8.0
    line.note(8.0, 100.0)
    assert line.seconds_for(50.0, 8.0) == 4.0
    assert line.seconds_for(50.0, 20.0) == 12.0


def test_a_line_that_lasts_is_judged_by_the_window_alone() -> None:
    line = BusyRate(30.0)
    line.begin(0.0)
    for second in range(300):
        line.note(float(second), 10.0 if second < 200 else 20.0)
    assert 4.0 < line.seconds_for(100.0, 300.0) < 6.0
