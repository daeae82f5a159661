"""Thresholds of budgets that are passed: each is told of once in a window, by the row that says so.

Of another amount they are others: a budget that was raised and is used up again is told of again.
"""

from datetime import datetime

from django.db import transaction

from billing.budgeting.standing import Shown, stand
from billing.budgeting.windows import alert_start
from billing.enums import BudgetWindow
from billing.mails import tell_of_threshold
from billing.models import THRESHOLDS, Budget, BudgetAlert


def tell_of_thresholds(now: datetime) -> int:
    """Tell of every threshold passed since the last time; of several of a budget only the highest. Return how many."""
    told = 0
    for shown in stand(list(Budget.objects.in_force())):
        passed = [threshold for threshold in THRESHOLDS if shown.percent >= threshold]
        if passed and _note(shown, passed, now):
            told += 1
    return told


@transaction.atomic
def _note(shown: Shown, passed: list[int], now: datetime) -> bool:
    """Note the thresholds; return whether the highest is news, which then is told."""
    since = alert_start(BudgetWindow(shown.budget.window), now)
    of = {"budget": shown.budget, "since": since, "most": shown.budget.most}
    known = set(BudgetAlert.objects.filter(**of).values_list("threshold", flat=True))
    new = [threshold for threshold in passed if threshold not in known]
    if not new:
        return False
    BudgetAlert.objects.bulk_create(BudgetAlert(**of, threshold=threshold) for threshold in new)
    if passed[-1] in known:
        return False
    tell_of_threshold(shown, passed[-1])
    return True
