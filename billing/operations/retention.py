"""Forgetting: whose key asked, once nobody may contest the month any more; and who has left."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.conf import settings

from billing.models import AccountingPeriod
from billing.periods import Period
from billing.records.retention import fold_budgets, forget_hour, forgets_before, hours_to_forget
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.operations.leaving import forget_people, kept_since
from federation.members.policies import check_decide_membership
from federation.people.enums import Forgotten as What
from federation.people.operations import note_forgotten


@dataclass(frozen=True)
class Forgotten:
    hours: int
    requests: int
    people: int
    is_all: bool
    """Whether nothing was left for another run."""


def anonymise(*, by: Actor, today: date, is_over: Callable[[], bool] = lambda: False) -> Forgotten:
    """Forget what is due hour by hour, one at least, until `is_over`: the next run goes on. Twice changes nothing."""
    check_decide_membership(by)
    people = forget_people(by=by, today=today, months=settings.RETENTION_MONTHS)
    before = forgets_before(today, settings.RETENTION_MONTHS)
    first = kept_since(today, settings.RETENTION_MONTHS)
    note_forgotten(what=What.PEOPLE, removed=people, before=Period(first, first).bounds[0])
    if before is None:
        note_forgotten(what=What.USAGE, removed=0)
        return Forgotten(0, 0, people, is_all=True)
    hours = requests = 0
    is_all = True
    for hour in hours_to_forget(before):
        if hours and is_over():
            is_all = False
            break
        requests += forget_hour(hour)
        hours += 1
    if is_all:  # never ahead of the sums that budgets are held against
        fold_budgets(before)
    note_forgotten(what=What.USAGE, removed=requests, before=before)
    if hours:
        record(
            by=by,
            verb="billing.forget_usage",
            obj=AccountingPeriod(month=before.date().replace(day=1)),
            diff={"hours": hours, "requests": requests, "before": before},
        )
    return Forgotten(hours, requests, people, is_all=is_all)
