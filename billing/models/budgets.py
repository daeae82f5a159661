"""Budgets: how much may be used by whom in what time, what was used by the hour, and how far routers may go.

`billing.spending` counts in the statement that stores the records; the clerk raises grants (`routing.bridge.budgets`).
"""

from typing import ClassVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.enums import BUDGET_SCOPE_LABELS, BUDGET_UNIT_LABELS, BudgetWindow
from billing.models.scopes import reads_all_accounts
from federation.access.models import ApiKey, Application
from federation.base import Row
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for
from routing.core.enums import BudgetScope

LARGEST_BUDGET = 10**17
"""A hundred million euros, in nano-euros: a slip of the keyboard is larger, and sums stay 64-bit numbers."""
LONGEST_NAME = 100
THE_FEDERATION = UUID(int=0)
"""The `scope_id` of its budgets."""
THRESHOLDS = (50, 80, 95, 100)
"""Per cent at which who set a budget, and whom it concerns, is told."""

Owner = ApiKey | Application | Institution | AIModel | None
"""Whose a budget is; None for the federation's."""
KINDS: dict[BudgetScope, type[ApiKey | Application | Institution | AIModel]] = {
    BudgetScope.KEY: ApiKey,
    BudgetScope.APPLICATION: Application,
    BudgetScope.INSTITUTION: Institution,
    BudgetScope.MODEL: AIModel,
}


class BudgetQuerySet(models.QuerySet["Budget"]):
    def for_user(self, user: User | AnonymousUser) -> "BudgetQuerySet":
        """Those of the keys and applications that one sees, and of one's institutions; all for the federation."""
        if reads_all_accounts(user):
            return self
        keys, applications = ApiKey.objects.for_user(user), Application.objects.for_user(user)
        return self.filter(
            Q(scope=BudgetScope.KEY, scope_id__in=keys.values("pk"))
            | Q(scope=BudgetScope.APPLICATION, scope_id__in=applications.values("pk"))
            | Q(scope=BudgetScope.INSTITUTION, scope_id__in=institution_ids_for(user))
        )

    def in_force(self) -> "BudgetQuerySet":
        return self.filter(ended_at__isnull=True)


class Budget(Row):
    """At most `most` of a unit in a window: a hard one is never passed, a soft one only told of.

    Money is what is billed: what an institution's own servers answer costs none of it. `scope_id` is the id of a row
    that is never deleted.
    """

    scope = models.CharField(_("whose"), max_length=16, choices=BUDGET_SCOPE_LABELS)
    scope_id = models.UUIDField(_("whose it is"))
    unit = models.CharField(_("what is counted"), max_length=16, choices=BUDGET_UNIT_LABELS)
    most = models.BigIntegerField(
        _("at most"), validators=[MinValueValidator(1), MaxValueValidator(LARGEST_BUDGET)]
    )
    window = models.CharField(_("in what time"), max_length=16, choices=BudgetWindow.choices)
    hard = models.BooleanField(_("refuses what would pass it"), default=True)
    name = models.CharField(_("name"), max_length=LONGEST_NAME, blank=True)
    set_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("set by")
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(most__range=(1, LARGEST_BUDGET)), name="a_budget_leaves_something"
            ),
            models.CheckConstraint(
                condition=Q(scope__in=sorted(BUDGET_SCOPE_LABELS)), name="a_budget_is_of_somebody"
            ),
            models.CheckConstraint(
                condition=Q(unit__in=sorted(BUDGET_UNIT_LABELS)), name="a_budget_has_a_unit"
            ),
            models.CheckConstraint(
                condition=Q(window__in=BudgetWindow.values), name="a_budget_has_a_window"
            ),
            models.UniqueConstraint(
                fields=("scope", "scope_id", "unit", "window", "hard"),
                condition=Q(ended_at__isnull=True),
                name="one_budget_in_force_of_each_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.scope} {self.scope_id}"

    @property
    def owner(self) -> Owner:
        kind = KINDS.get(BudgetScope(self.scope))
        return kind._default_manager.get(pk=self.scope_id) if kind else None


class OfBudgetQuerySet(models.QuerySet["models.Model"]):
    def for_user(self, user: User | AnonymousUser) -> "OfBudgetQuerySet":
        return self.filter(budget__in=Budget.objects.for_user(user))


class BudgetHour(models.Model):
    """What of a budget was used in an hour."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(
        Budget, models.PROTECT, related_name="hours", verbose_name=_("budget")
    )
    hour = models.DateTimeField(_("hour"))
    spent = models.BigIntegerField(_("used"))

    objects = OfBudgetQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget’s hour")
        verbose_name_plural = _("budgets’ hours")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("budget", "hour"), name="a_budgets_hour_is_one_sum")
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.hour:%Y-%m-%d %H:%M}"


class BudgetGrant(models.Model):
    """How a budget stands since it began: `spent` is the sum of its hours, up to `granted` the router may go.

    `granted` never falls while one router runs (`incarnation`). It is written before a router is told of it; once all
    that a dead router wrote is stored, it falls to what was spent: nothing stays reserved.
    """

    budget = models.OneToOneField(
        Budget, models.PROTECT, primary_key=True, related_name="grant", verbose_name=_("budget")
    )
    spent = models.BigIntegerField(_("used"), default=0)
    granted = models.BigIntegerField(_("granted"), default=0)
    incarnation = models.CharField(_("router"), max_length=64, blank=True)

    objects = OfBudgetQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget’s grant")
        verbose_name_plural = _("budgets’ grants")

    def __str__(self) -> str:
        return f"{self.budget_id}"


class BudgetAlert(models.Model):
    """That a threshold of a budget was told of: once in each window."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(
        Budget, models.PROTECT, related_name="alerts", verbose_name=_("budget")
    )
    since = models.DateTimeField(_("beginning of the window"))
    threshold = models.PositiveSmallIntegerField(_("per cent"))
    told_at = models.DateTimeField(_("told"), auto_now_add=True)

    objects = OfBudgetQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget’s alert")
        verbose_name_plural = _("budgets’ alerts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("budget", "since", "threshold"), name="a_threshold_is_told_of_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.threshold} %"
