"""What the worker does for the accounts, every hour or every night. Safe to run twice."""

from billing.models import BudgetRequest
from billing.operations.requests import fall_back
from billing.operations.retention import anonymise
from billing.periods import paris_today
from federation.journal.actors import SYSTEM


def end_raises() -> None:
    """Have budgets that were raised for a time fall back, once their last day is past in Paris."""
    for asked in BudgetRequest.objects.over(paris_today()):
        fall_back(by=SYSTEM, asked=asked)


def forget_what_is_due() -> None:
    """Forget whose keys asked long ago, and who has left (docs/retention.md)."""
    anonymise(by=SYSTEM, today=paris_today())
