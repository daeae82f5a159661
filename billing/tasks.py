"""What the worker does for the accounts, every hour or every night. Safe to run twice."""

import time
from datetime import timedelta

from django_q.tasks import async_task

from billing.models import BudgetRequest
from billing.operations.merging import move_what_came_late
from billing.operations.requests import fall_back
from billing.operations.retention import anonymise
from billing.periods import paris_today
from federation.journal.actors import SYSTEM

FORGETTING = timedelta(minutes=2)
"""At a time: half of what the worker lets a task take, and others wait behind it."""


def end_raises() -> None:
    """Have budgets that were raised for a time fall back, once their last day is past in Paris."""
    for asked in BudgetRequest.objects.over(paris_today()):
        fall_back(by=SYSTEM, asked=asked)


def forget_what_is_due() -> None:
    """Forget whose keys asked long ago, and who has left (docs/retention.md): what is left, behind what else waits."""
    ends = time.monotonic() + FORGETTING.total_seconds()
    done = anonymise(by=SYSTEM, today=paris_today(), is_over=lambda: time.monotonic() >= ends)
    if not done.is_all:
        async_task("billing.tasks.forget_what_is_due")


def follow_mergers() -> None:
    """Move what has come late for institutions that have become a part of others (docs/accounts.md)."""
    move_what_came_late(by=SYSTEM)
