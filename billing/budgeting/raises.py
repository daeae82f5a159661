"""What becomes of requests for more when their budget is changed by hand, or ends. Inside the caller's transaction."""

from billing.enums import REQUEST_TRANSITIONS, RequestState
from billing.mails import forget_asked, tell_of_answer
from billing.models import Budget, BudgetRequest
from federation.transitions import check_transition


def end_raise(budget: Budget) -> None:
    """Let no raise for a time fall back any more: what was set meanwhile stays."""
    for asked in budget.requests.raised().select_for_update():
        move(asked, RequestState.ENDED)


def void_requests(budget: Budget) -> None:
    """Withdraw what is asked for: there is nothing to raise. Who has asked is told."""
    for asked in budget.requests.open().select_for_update().select_related("asked_by"):
        move(asked, RequestState.WITHDRAWN)
        forget_asked(asked)
        tell_of_answer(asked)


def move(asked: BudgetRequest, state: RequestState, **facts: object) -> None:
    """Bring a row that is held into its next state, with what goes with it. Raises `ForbiddenTransitionError`."""
    check_transition(REQUEST_TRANSITIONS, RequestState(asked.state), state)
    asked.state = state.value
    for name, value in facts.items():
        setattr(asked, name, value)
    asked.full_clean()
    asked.save(update_fields=["state", *facts])
