"""How budgets stand: for the clerk, which grants, for alerts, and for pages. A constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.budgeting.amounts import in_words
from billing.budgeting.windows import window_end, window_start
from billing.enums import BudgetWindow
from billing.models import Budget, BudgetGrant, BudgetHour, Holder
from billing.models.budgets import KINDS
from federation.access.models import ApiKey
from federation.people.models import User
from routing.core.enums import BudgetScope, BudgetUnit


@dataclass(frozen=True)
class Shown:
    """A budget in its present window, in words and numbers; `whose` is the name of its owner."""

    budget: Budget
    whose: str
    spent: int
    since: datetime | None
    until: datetime | None
    now: datetime

    @property
    def remaining(self) -> int:
        return max(0, self.budget.most - self.spent)

    @property
    def percent(self) -> int:
        """How much is used, in whole per cent, never told as all before it is."""
        return self.spent * 100 // self.budget.most

    @property
    def bar(self) -> int:
        return min(100, self.percent)

    @property
    def forecast(self) -> int | None:
        """What is used at the end of a calendar window if it goes on so; None where nothing tells."""
        calendar = BudgetWindow(self.budget.window) not in _NO_FORECAST
        if not calendar or self.since is None or self.until is None:
            return None
        begin = self.since.timestamp()  # two moments of one zone differ by what its clocks say
        passed, whole = self.now.timestamp() - begin, self.until.timestamp() - begin
        if passed < whole / _LEAST_PASSED:
            return None
        return round(self.spent * whole / passed)

    @property
    def is_expected_to_last(self) -> bool:
        return self.forecast is None or self.forecast <= self.budget.most

    def words(self, amount: int) -> str:
        return in_words(amount, BudgetUnit(self.budget.unit))

    @property
    def most_words(self) -> str:
        return self.words(self.budget.most)

    @property
    def spent_words(self) -> str:
        return self.words(self.spent)

    @property
    def remaining_words(self) -> str:
        return self.words(self.remaining)

    @property
    def forecast_words(self) -> str:
        return "–" if self.forecast is None else self.words(self.forecast)


_NO_FORECAST = (BudgetWindow.LAST_DAY, BudgetWindow.LAST_MONTH, BudgetWindow.LIFE)
_LEAST_PASSED = 50
"""A forecast from less than this part of a window would be noise."""


def shown(user: User, budgets: Iterable[Budget] | None = None) -> list[Shown]:
    """Return the budgets in force that `user` may see, the most used first; or these of them."""
    seen = Budget.objects.for_user(user).in_force() if budgets is None else budgets
    return sorted(stand(list(seen)), key=lambda each: (-each.percent, each.budget.pk))


def stand(budgets: Sequence[Budget]) -> list[Shown]:
    """Return how budgets stand in their present windows."""
    now = timezone.now()
    spent, names = spent_now(budgets, now), names_of(budgets)
    return [
        Shown(
            budget=budget,
            whose=names.get(budget.scope_id, ""),
            spent=spent[budget.pk],
            since=window_start(BudgetWindow(budget.window), now),
            until=window_end(BudgetWindow(budget.window), now),
            now=now,
        )
        for budget in budgets
    ]


def spent_now(budgets: Iterable[Budget], now: datetime) -> Mapping[UUID, int]:
    """Return what is used of each budget in its present window."""
    found: dict[UUID, int] = defaultdict(int)
    for since, ids in _by_start(budgets, now).items():
        rows = BudgetGrant.objects.filter(budget__in=ids).values_list("budget_id", "spent")
        if since is not None:
            hours = BudgetHour.objects.filter(budget__in=ids, hour__gte=since)
            rows = hours.values_list("budget_id").annotate(Sum("spent")).order_by()
        found.update(rows)
    return found


def spent_before(budgets: Iterable[Budget], now: datetime) -> Mapping[UUID, int]:
    """Return what was used of each budget before its present window. It only ever grows.

    All that was used less what is in the window, in one statement: history is not read again and again.
    """
    found: dict[UUID, int] = defaultdict(int)
    for since, ids in _by_start(budgets, now).items():
        if since is not None:
            hours = BudgetHour.objects.filter(budget=OuterRef("pk"), hour__gte=since).order_by()
            within = hours.values("budget").annotate(total=Sum("spent")).values("total")
            grants = BudgetGrant.objects.filter(budget__in=ids)
            found.update(grants.values_list("pk", F("spent") - Coalesce(Subquery(within), 0)))
    return found


def names_of(budgets: Iterable[Budget]) -> dict[UUID, str]:
    """Return the names of whose they are, by `scope_id`."""
    by_scope: dict[str, set[UUID]] = defaultdict(set)
    for budget in budgets:
        by_scope[budget.scope].add(budget.scope_id)
    found: dict[UUID, str] = {}
    for scope, ids in by_scope.items():
        kind = KINDS.get(BudgetScope(scope))
        if kind is None:
            found |= dict.fromkeys(ids, _("the whole federation"))
        elif kind is ApiKey:
            keys = ApiKey.objects.filter(pk__in=ids).select_related("application")
            found |= {key.pk: f"{key.application.name} · {key.name}" for key in keys}
        elif kind is Holder:
            holders = Holder.objects.filter(pk__in=ids).select_related("user", "institution")
            found |= {holder.pk: str(holder) for holder in holders}
        else:
            rows = kind._default_manager.filter(pk__in=ids)
            found |= {row.pk: str(row) for row in rows}
    return found


def _by_start(budgets: Iterable[Budget], now: datetime) -> dict[datetime | None, list[UUID]]:
    found: dict[datetime | None, list[UUID]] = defaultdict(list)
    for budget in budgets:
        found[window_start(BudgetWindow(budget.window), now)].append(budget.pk)
    return found
