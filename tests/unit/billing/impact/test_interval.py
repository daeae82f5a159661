import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.impact.interval import ZERO, Interval, significant

amounts = st.floats(0, 1e12)
intervals = st.lists(amounts, min_size=3, max_size=3).map(lambda bounds: Interval(*sorted(bounds)))


@given(intervals, intervals, st.floats(0, 1e3))
def test_every_reckoning_keeps_the_order(one: Interval, other: Interval, factor: float) -> None:
    for told in (one + other, one.times(other), one.scaled(factor), one.rounded(2)):
        assert 0 <= told.low <= told.central <= told.high


def test_errors_of_the_same_kind_add_up() -> None:
    assert Interval.around(10, 2) + Interval.around(10, 2) == Interval(10, 20, 40)


def test_zero_changes_nothing() -> None:
    assert Interval(1, 2, 3) + ZERO == Interval(1, 2, 3)


@pytest.mark.parametrize(
    "bounds",
    [(2, 1, 3), (1, 3, 2), (-1, 0, 1), (0, 0, float("inf")), (0, float("nan"), 1)],
)
def test_an_interval_that_cannot_be_is_refused(bounds: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="order"):
        Interval(*bounds)


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0, 2, 0),
        (0.0012345, 2, 0.0012),
        (0.999, 2, 1.0),
        (1234, 2, 1200),
        (41.44, 3, 41.4),
        (0.1, 2, 0.1),
    ],
)
def test_so_many_digits_are_significant(value: float, digits: int, shown: float) -> None:
    assert significant(value, digits) == shown
