"""Writes about requests for more of a budget: asked, answered, withdrawn; and raises for a time that are over.

A raise is a change of the budget like any other (`budgets.change_budget`), in force within a second.
"""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.budgeting.raises import end_raise, move
from billing.budgeting.standing import spent_now
from billing.enums import RequestState
from billing.mails import forget_asked, tell_of_answer, tell_of_request
from billing.models import Budget, BudgetRequest
from billing.operations.budgets import (
    change_budget,
    check_enough,
    check_in_force,
)
from billing.periods import paris_today
from billing.policies import (
    check_ask_for_more,
    check_decide_request,
    check_withdraw_request,
    institution_of,
)
from federation.journal.actors import Actor, is_operator
from federation.journal.operations import record
from federation.people.models import User
from federation.policy import refuse_unless

LONGEST_RAISE = timedelta(days=366)


@transaction.atomic
def ask_for_more(
    *, by: User, budget: Budget, wanted: int, reason: str, until: date | None = None
) -> BudgetRequest:
    """Ask who holds a budget to raise it to `wanted`, up to and with a last day, or for good.

    Raises `ValidationError` when that is no more than there is, and while another request is open.
    """
    locked = Budget.objects.select_for_update().get(pk=budget.pk)
    check_ask_for_more(by, locked)
    check_in_force(locked)
    if wanted <= locked.most:
        raise ValidationError({"wanted": _("Ask for more than there is.")}, code="no_more")
    _check_last_day(until)
    asked = BudgetRequest(
        budget=locked, asked_by=by, wanted=wanted, until=until, reason=reason.strip()
    )
    asked.full_clean()
    asked.save(force_insert=True)
    tell_of_request(asked)
    _record(by, "billing.ask_for_more", asked, wanted=wanted, until=until)
    return asked


@transaction.atomic
def approve_request(
    *,
    by: Actor,
    asked: BudgetRequest,
    granted: int,
    until: date | None = None,
    knowingly: bool = False,
) -> BudgetRequest:
    """Raise the budget, to what was asked for or to another amount; with `until` it falls back after that day.

    Raises `ValidationError` when that is no more than there is, or is used already and not meant so (`knowingly`).
    """
    locked = _held(asked)
    budget = locked.budget
    check_decide_request(by, locked)
    _check_last_day(until)
    if granted <= budget.most:
        raise ValidationError(
            {"granted": _("That is no more than there is: decline it instead.")}, code="no_more"
        )
    raised = budget.requests.raised().first()
    before = raised.before if raised else budget.most
    spent = spent_now([budget], timezone.now())[budget.pk]
    budget.most = granted
    check_enough(budget, spent, knowingly)
    change_budget(by=by, budget=budget, most=granted, hard=budget.hard, name=budget.name)
    move(
        locked,
        RequestState.RAISED if until else RequestState.GRANTED,
        **{"granted": granted, "before": before, "until": until},
        **_decided(by),
    )
    _answer(locked)
    _record(by, "billing.approve_request", locked, granted=[before, granted], until=until)
    return locked


@transaction.atomic
def decline_request(*, by: Actor, asked: BudgetRequest, answer: str) -> BudgetRequest:
    """Leave the budget as it is, and say why."""
    locked = _held(asked)
    check_decide_request(by, locked)
    if not answer.strip():
        raise ValidationError({"answer": _("Say why.")})
    move(locked, RequestState.DECLINED, answer=answer.strip(), **_decided(by))
    _answer(locked)
    _record(by, "billing.decline_request", locked)
    return locked


@transaction.atomic
def withdraw_request(*, by: Actor, asked: BudgetRequest) -> BudgetRequest:
    """Take it back: nobody has to answer any more."""
    locked = _held(asked)
    check_withdraw_request(by, locked)
    move(locked, RequestState.WITHDRAWN)
    forget_asked(locked)
    _record(by, "billing.withdraw_request", locked)
    return locked


@transaction.atomic
def fall_back(*, by: Actor, asked: BudgetRequest) -> bool:
    """After the last day of a raise, set the budget to what it was; return whether there was something to do.

    What was used stays counted, though it be more.
    """
    refuse_unless(is_operator(by))
    locked = _held(asked)
    if not BudgetRequest.objects.over(paris_today()).filter(pk=locked.pk).exists():
        return False
    budget, before = locked.budget, locked.before
    assert before is not None  # a constraint: a raise says from what
    Budget.objects.filter(pk=budget.pk).update(most=before)
    end_raise(budget)
    locked.refresh_from_db()
    tell_of_answer(locked)
    _record(by, "billing.end_raise", locked, granted=[locked.granted, before])
    return True


def _held(asked: BudgetRequest) -> BudgetRequest:
    """Return the row as it is now, its budget held before it: in the order of whoever changes the budget."""
    budget = Budget.objects.select_for_update().get(pk=asked.budget_id)
    rows = BudgetRequest.objects.select_related("asked_by").select_for_update(of=("self",))
    locked = rows.get(pk=asked.pk)
    locked.budget = budget
    return locked


def _answer(asked: BudgetRequest) -> None:
    forget_asked(asked)
    tell_of_answer(asked)


def _decided(by: Actor) -> dict[str, object]:
    return {
        "decided_by": by if isinstance(by, User) else None,
        "decided_at": timezone.now(),
    }


def _check_last_day(until: date | None) -> None:
    today = paris_today()
    if until is not None and not today <= until <= today + LONGEST_RAISE:
        raise ValidationError({"until": _("Give a day from today on, within a year.")})


def _record(by: Actor, verb: str, asked: BudgetRequest, **diff: object) -> None:
    record(
        by=by,
        verb=verb,
        obj=asked,
        institution=institution_of(asked.budget.owner),
        diff={"budget": asked.budget_id, "state": asked.state, **diff},
    )
