from billing.usage.rows import NOTHING, Counts


def test_counts_add_up_field_by_field() -> None:
    assert Counts(1, 2, 3, 4, 5, 6) + Counts(10, 20, 30, 40, 50, 60) == Counts(
        11, 22, 33, 44, 55, 66
    )
    assert Counts(1, 2, 3, 4, 5, 6) + NOTHING == Counts(1, 2, 3, 4, 5, 6)


def test_cached_and_reasoning_tokens_are_not_counted_twice() -> None:
    counts = Counts(
        1, 0, prompt_tokens=100, cached_tokens=80, completion_tokens=10, reasoning_tokens=9
    )

    assert counts.tokens == 110
