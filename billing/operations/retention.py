"""Forgetting: whose key asked, once nobody may contest the month any more; and who has left."""

from dataclasses import dataclass
from datetime import date

from django.conf import settings

from billing.models import AccountingPeriod
from billing.records.retention import fold_budgets, forget_hour, forgets_before, hours_to_forget
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.operations.leaving import forget_people
from federation.members.policies import check_decide_membership

MOST_HOURS = 24 * 31
"""In one run: a month of them."""


@dataclass(frozen=True)
class Forgotten:
    hours: int
    requests: int
    people: int
    is_all: bool
    """Whether nothing was left for another run."""


def anonymise(*, by: Actor, today: date, most_hours: int = MOST_HOURS) -> Forgotten:
    """Forget what is due, hour by hour; what a run leaves, the next one does. Twice changes nothing."""
    check_decide_membership(by)
    people = forget_people(by=by, today=today, months=settings.RETENTION_MONTHS)
    before = forgets_before(today, settings.RETENTION_MONTHS)
    if before is None:
        return Forgotten(0, 0, people, is_all=True)
    hours = hours_to_forget(before, most_hours)
    requests = sum(forget_hour(hour) for hour in hours)
    is_all = len(hours) < most_hours
    if is_all:  # never ahead of the sums that budgets are held against
        fold_budgets(before)
    if hours:
        record(
            by=by,
            verb="billing.forget_usage",
            obj=AccountingPeriod(month=before.date().replace(day=1)),
            diff={"hours": len(hours), "requests": requests, "before": before},
        )
    return Forgotten(len(hours), requests, people, is_all=is_all)
