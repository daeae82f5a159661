import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.shares import proportional


@given(st.integers(0, 10**15), st.lists(st.integers(0, 10**9), min_size=1, max_size=40))
def test_every_share_is_within_one_of_its_exact_value(total: int, weights: list[int]) -> None:
    if not sum(weights):
        weights[0] = 1

    shares = proportional(total, weights)

    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)
        assert share == 0 or weight > 0


def test_what_is_left_over_goes_to_the_largest_remainders() -> None:
    assert proportional(10, [1, 1, 1]) == [4, 3, 3]
    assert proportional(7, [5, 3, 2]) == [4, 2, 1]
    assert proportional(0, [0, 0]) == [0, 0]
    assert proportional(0, []) == []


@pytest.mark.parametrize(("total", "weights"), [(5, [0, 0]), (5, []), (5, [2, -1]), (-5, [1])])
def test_what_cannot_be_split_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="split"):
        proportional(total, weights)
