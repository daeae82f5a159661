"""Blame, and the budget of retries."""

from routing.core.retry import (
    HARMS_HEALTH,
    RETRY_FLOOR,
    RETRY_WINDOW_SECONDS,
    Failure,
    RetryBudget,
)


def test_a_queue_what_is_missing_and_having_gone_do_not_speak_against_a_server() -> None:
    harmless = {
        Failure.FULL,
        Failure.NO_ENDPOINT,
        Failure.NO_MODEL,
        Failure.QUEUED,
        Failure.GONE,
    }
    assert frozenset(Failure) - HARMS_HEALTH == harmless


def test_a_quiet_model_may_retry_all_that_a_dying_server_held() -> None:
    budget = RetryBudget()
    assert [budget.take(0.0) for _ in range(RETRY_FLOOR + 1)] == [True] * RETRY_FLOOR + [False]


def test_a_busy_model_may_retry_a_fifth_of_its_requests() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.note_request(0.0)
    assert sum(budget.take(0.0) for _ in range(1000)) == 200


def test_a_spent_budget_comes_back() -> None:
    budget = RetryBudget()
    while budget.take(0.0):
        pass
    assert not budget.take(1.0)
    assert budget.take(2 * RETRY_WINDOW_SECONDS)
