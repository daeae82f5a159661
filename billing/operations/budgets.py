"""Writes about budgets: set, changed, ended. Routers go by them within a second."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.budgeting.amounts import in_words
from billing.budgeting.raises import end_raise, void_requests
from billing.budgeting.spending import used_before
from billing.budgeting.standing import spent_now
from billing.budgeting.windows import window_start
from billing.enums import BudgetLevel, BudgetWindow
from billing.ledger.books import hold_the_books
from billing.models import THE_FEDERATION, Budget, BudgetGrant, BudgetHour, Holder, Owner
from billing.policies import check_change_budget, institution_of, level_of
from federation.access.models import ApiKey, Application
from federation.catalogue.models import AIModel
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.people.models import User
from routing.core.enums import BudgetScope, BudgetUnit


@transaction.atomic
def set_budget(
    *,
    by: Actor,
    owner: Owner,
    unit: BudgetUnit,
    most: int,
    window: BudgetWindow,
    hard: bool = True,
    name: str = "",
    knowingly: bool = False,
    level: BudgetLevel | None = None,
) -> Budget:
    """Bound what a key, an application, a person, an institution, a model (or, for None, everybody) uses in a window.

    What was used in it before counts. Raises `ValidationError` when that is more already, unless it is set
    `knowingly`; and when there is such a budget. It is held at the level of `by`, or at a lower one.
    """
    highest = level_of(by, owner)
    # No batch is stored until this is: what was used before it is in the sums, what comes after finds the budget.
    hold_the_books()
    budget = Budget(
        scope=scope_of(owner),
        scope_id=owner.pk if owner else THE_FEDERATION,
        unit=unit,
        most=most,
        window=window,
        hard=hard,
        name=name.strip(),
        set_by=by if isinstance(by, User) else None,
        level=highest if level is None else min(level, highest),
    )
    budget.full_clean()
    if isinstance(owner, Holder):
        Holder.objects.get_or_create(
            pk=owner.pk, defaults={"user": owner.user, "institution": owner.institution}
        )
    since = window_start(window, timezone.now())
    hours = used_before(BudgetScope(budget.scope), budget.scope_id, unit, since)
    spent = sum(used for _hour, used in hours)
    check_enough(budget, spent, knowingly)
    budget.save(force_insert=True)
    BudgetHour.objects.bulk_create(
        BudgetHour(budget=budget, hour=hour, spent=used) for hour, used in hours
    )
    BudgetGrant.objects.create(budget=budget, spent=spent, granted=spent)
    _record(by, "billing.set_budget", budget, owner, most=[None, most], hard=hard)
    return budget


@transaction.atomic
def change_budget(
    *,
    by: Actor,
    budget: Budget,
    most: int,
    hard: bool,
    name: str = "",
    knowingly: bool = False,
) -> Budget:
    """Raise or lower a budget, or make it hard or soft; what was used stays counted.

    Who makes it tighter from above holds it from then on. A raise for a time ends with it: what is set by hand stays.
    """
    locked = Budget.objects.select_for_update().get(pk=budget.pk)
    owner = locked.owner
    check_change_budget(by, locked)
    check_in_force(locked)
    before = locked.most, locked.hard, locked.name
    locked.most, locked.hard, locked.name = most, hard, name.strip()
    if before == (locked.most, locked.hard, locked.name):
        raise ValidationError(_("This is the budget already."), code="no_change")
    locked.full_clean()
    if most < before[0] or (hard and not before[1]):
        check_enough(locked, spent_now([locked], timezone.now())[locked.pk], knowingly)
        locked.level = level_of(by, owner)
    locked.save(update_fields=["most", "hard", "name", "level"])
    if most != before[0]:
        end_raise(locked)
    _record(
        by, "billing.change_budget", locked, owner, most=[before[0], most], hard=[before[1], hard]
    )
    return locked


@transaction.atomic
def end_budget(*, by: Actor, budget: Budget) -> Budget:
    """Bound nothing by it any more; the row stays."""
    locked = Budget.objects.select_for_update().get(pk=budget.pk)
    owner = locked.owner
    check_change_budget(by, locked)
    check_in_force(locked)
    locked.ended_at = timezone.now()
    locked.save(update_fields=["ended_at"])
    end_raise(locked)
    void_requests(locked)
    _record(by, "billing.end_budget", locked, owner, most=[locked.most, None])
    return locked


def scope_of(owner: Owner) -> BudgetScope:
    match owner:
        case ApiKey():
            return BudgetScope.KEY
        case Application():
            return BudgetScope.APPLICATION
        case Holder():
            return BudgetScope.PERSON
        case Institution():
            return BudgetScope.INSTITUTION
        case AIModel():
            return BudgetScope.MODEL
        case None:
            return BudgetScope.FEDERATION


def check_enough(budget: Budget, spent: int, knowingly: bool) -> None:
    """Raise `ValidationError`, `below_spent`, when nothing is left of it and nobody has said that they know."""
    if spent >= budget.most and not knowingly:
        raise ValidationError(
            _(
                "%(spent)s is used in this window already: nothing would be left. Confirm it, or set more."
            ),
            code="below_spent",
            params={"spent": in_words(spent, BudgetUnit(budget.unit))},
        )


def check_in_force(budget: Budget) -> None:
    if budget.ended_at is not None:
        raise ValidationError(_("This budget has ended: set another one."), code="ended")


def _record(by: Actor, verb: str, budget: Budget, owner: Owner, **diff: object) -> None:
    record(
        by=by,
        verb=verb,
        obj=budget,
        institution=institution_of(owner),
        diff={
            "scope": budget.scope,
            "scope_id": budget.scope_id,
            "unit": budget.unit,
            "window": budget.window,
            **diff,
        },
    )
