"""What was used within a sliding time."""

from hypothesis import given
from hypothesis import strategies as st

from routing.core.tally import Tally

moments = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 5)), max_size=40)


def a_tally() -> Tally:
    return Tally(60.0, 60)


def test_what_was_added_leaves_a_step_late_at_most() -> None:
    tally = a_tally()
    tally.add(3, 10.5)

    tally.roll(70.5)
    assert tally.total == 3
    assert tally.falls_to(0) == 71.0
    tally.roll(71.0)
    assert tally.total == 0


@given(moments)
def test_the_total_is_never_less_than_what_was_added_within_the_time(
    steps: list[tuple[float, int]],
) -> None:
    tally, now, added = a_tally(), 0.0, []
    for pause, amount in steps:
        now += pause
        tally.add(amount, now)
        added.append((now, amount))
        tally.roll(now)
        within = sum(size for at, size in added if now - at < 60)
        within_a_step_more = sum(size for at, size in added if now - at < 61.001)
        assert within <= tally.total <= within_a_step_more


@given(moments, st.integers(0, 100))
def test_it_has_fallen_when_it_said_that_it_would(
    steps: list[tuple[float, int]], amount: int
) -> None:
    tally, now = a_tally(), 0.0
    for pause, size in steps:
        now += pause
        tally.add(size, now)
    tally.roll(now)
    before = tally.total

    at = tally.falls_to(amount)
    assert (at <= now) == (before <= amount)
    tally.roll(max(now, at))
    assert tally.total <= amount


def test_what_is_taken_out_is_not_counted_and_what_is_past_cannot_be() -> None:
    tally = a_tally()
    part = tally.add(5, 1.0)
    tally.take_out(part, 2)
    assert tally.total == 3

    tally.roll(100.0)
    tally.take_out(part, 3)
    assert tally.total == 0


@given(moments, st.floats(0, 30))
def test_a_successor_goes_on_where_it_ended(steps: list[tuple[float, int]], further: float) -> None:
    first, now = a_tally(), 0.0
    for pause, amount in steps:
        now += pause
        first.add(amount, now)
    second, its_now = a_tally(), 5000.0
    second.restore(first.parts(now), its_now)

    for tally, then in ((first, now + further), (second, its_now + further)):
        tally.roll(then)
    assert first.total <= second.total
    second.roll(its_now + further + 1.001)
    first.roll(now + further)
    assert second.total <= first.total
