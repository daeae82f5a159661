"""Budgets of the demonstration: some with room, two near their end, for which more is asked.

Made once, from what the past requests have used: what somebody has done with them since stays. The hard one that is
nearly used up is of an application whose key nobody holds, so that every key of `demo.json` goes on working.
"""

from typing import NamedTuple

from django.utils import timezone

from billing.budgeting.spending import used_before
from billing.budgeting.windows import window_start
from billing.enums import BudgetLevel, BudgetWindow
from billing.models import Budget, Holder, Owner
from billing.operations.budgets import scope_of, set_budget
from billing.operations.requests import ask_for_more
from config.demo.building import BY
from config.demo.members import ACCOUNTS
from federation.access.models import Application
from federation.members.models import Institution
from federation.people.models import User
from routing.core.enums import BudgetUnit

RENNES_ASKS = "La bibliothèque de droit s’ajoute à l’index en décembre : 40 000 documents de plus."
ORLEANS_ASKS = "Deux promotions suivent l’atelier ce semestre, au lieu d’une."
UNUSED = {BudgetUnit.NANO_EUROS: 10**10, BudgetUnit.TOKENS: 10**7}
"""A budget of which nothing is used yet."""
DIGITS = 3
"""Of an amount, that are not noughts."""


class Plan(NamedTuple):
    """A budget of which about so many per cent are used; `level` is who holds it."""

    owner: Owner
    percent: int
    unit: BudgetUnit
    window: BudgetWindow
    level: BudgetLevel
    hard: bool = True
    name: str = ""


def set_budgets() -> None:
    if Budget.objects.exists():
        return
    teacher, department = _person("orleans_user"), _person("rennes_dsi")
    orleans, rennes = (Institution.objects.get(slug=slug) for slug in ("orleans", "rennes"))
    workshop = Application.objects.get(institution=orleans, name="Atelier de rédaction")
    index = Application.objects.get(institution=rennes, name="Indexation documentaire")
    institution, federation = BudgetLevel.INSTITUTION, BudgetLevel.FEDERATION
    month, euros, tokens = BudgetWindow.LAST_MONTH, BudgetUnit.NANO_EUROS, BudgetUnit.TOKENS
    _set(Plan(orleans, 38, euros, month, federation))
    _set(Plan(Holder.of(teacher, orleans), 46, euros, month, institution))
    _set(Plan(rennes, 31, tokens, BudgetWindow.YEAR, institution, hard=False))
    near = _set(Plan(workshop, 84, euros, month, institution, hard=False, name="Semestre"))
    nearest = _set(Plan(index, 94, tokens, month, federation))
    for by, budget, reason in (
        (teacher, near, ORLEANS_ASKS),
        (department, nearest, RENNES_ASKS),
    ):
        ask_for_more(by=by, budget=budget, wanted=2 * budget.most, reason=reason)


def _set(plan: Plan) -> Budget:
    return set_budget(
        by=BY,
        owner=plan.owner,
        unit=plan.unit,
        most=_amount(plan),
        window=plan.window,
        hard=plan.hard,
        name=plan.name,
        level=plan.level,
    )


def _amount(plan: Plan) -> int:
    """Return so much that what is used is the part that is planned, in a round number."""
    assert plan.owner is not None
    if isinstance(plan.owner, Holder):
        plan.owner.save()
    since = window_start(plan.window, timezone.now())
    hours = used_before(scope_of(plan.owner), plan.owner.pk, plan.unit, since)
    amount = sum(used for _hour, used in hours) * 100 // plan.percent
    if not amount:
        return UNUSED[plan.unit]
    noughts: int = 10 ** max(0, len(str(amount)) - DIGITS)
    return -(-amount // noughts) * noughts


def _person(reference: str) -> User:
    email = next(account.email for account in ACCOUNTS if account.reference == reference)
    found: User = User.objects.get(email=email)
    return found
