"""Budgets: how much may be used by whom in what time, what was used by the hour, how far routers may go, what is asked.

`billing.budgeting.spending` counts in the statement that stores the records; the clerk raises grants
(`routing.bridge.budgets`).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from typing import ClassVar
from uuid import UUID, uuid5

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.enums import (
    BUDGET_SCOPE_LABELS,
    BUDGET_UNIT_LABELS,
    BudgetLevel,
    BudgetWindow,
    RequestState,
)
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
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

LONGEST_ANSWER = 500


def holder_id(user_id: UUID, institution_id: UUID) -> UUID:
    """Return the id of somebody at an institution: it tells neither of them to whom it is shown."""
    return uuid5(institution_id, str(user_id))


class HolderQuerySet(models.QuerySet["Holder"]):
    def for_user(self, user: User | AnonymousUser) -> "HolderQuerySet":
        """Oneself, and the people of institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        if isinstance(user, AnonymousUser):
            return self.none()
        oneself = Q(user=user, institution_id__in=institution_ids_for(user))
        return self.filter(oneself | Q(institution_id__in=institution_ids_for(user, *ACCOUNTANTS)))


class Holder(models.Model):
    """Somebody who owns applications at an institution: a person's budget bounds the keys of all of these.

    Made with the first such budget; the id is `holder_id`.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("account"))
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="+", verbose_name=_("institution")
    )

    objects = HolderQuerySet.as_manager()

    class Meta:
        verbose_name = _("owner of keys")
        verbose_name_plural = _("owners of keys")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("user", "institution"), name="an_owner_of_keys_is_one_row"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user.name} ({self.institution.short_name})"

    @classmethod
    def of(cls, user: User, institution: Institution) -> "Holder":
        """Return who that is, saved or not."""
        return cls(id=holder_id(user.pk, institution.pk), user=user, institution=institution)


Owner = ApiKey | Application | Holder | Institution | AIModel | None
"""Whose a budget is; None for the federation's."""
KINDS: dict[BudgetScope, type[ApiKey | Application | Holder | Institution | AIModel]] = {
    BudgetScope.KEY: ApiKey,
    BudgetScope.APPLICATION: Application,
    BudgetScope.PERSON: Holder,
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
            | Q(scope=BudgetScope.PERSON, scope_id__in=Holder.objects.for_user(user).values("pk"))
            | Q(scope=BudgetScope.INSTITUTION, scope_id__in=institution_ids_for(user))
        )

    def bounding(self, application: Application, key: ApiKey | None = None) -> "BudgetQuerySet":
        """Those that bound an application, and a key of it; not those of models and of all."""
        owners = Q(scope=BudgetScope.APPLICATION, scope_id=application.pk)
        owners |= Q(scope=BudgetScope.INSTITUTION, scope_id=application.institution_id)
        if key is not None:
            owners |= Q(scope=BudgetScope.KEY, scope_id=key.pk)
        if application.owner_id is not None:
            holder = holder_id(application.owner_id, application.institution_id)
            owners |= Q(scope=BudgetScope.PERSON, scope_id=holder)
        return self.in_force().filter(owners)

    def in_force(self) -> "BudgetQuerySet":
        return self.filter(ended_at__isnull=True)


class Budget(Row):
    """At most `most` of a unit in a window: a hard one is never passed, a soft one only told of.

    Money is what is billed: what an institution's own servers answer costs none of it. `scope_id` is the id of a row
    that is never deleted. Nobody below `level` changes it.
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
    level = models.PositiveSmallIntegerField(
        _("held by"), choices=BudgetLevel, default=BudgetLevel.OWNER, db_default=BudgetLevel.OWNER
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
            models.CheckConstraint(
                condition=Q(level__in=BudgetLevel.values), name="a_budget_is_held_by_somebody"
            ),
            models.UniqueConstraint(
                fields=("scope", "scope_id", "unit", "window", "hard"),
                condition=Q(ended_at__isnull=True),
                name="one_budget_in_force_of_each_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.scope} {self.scope_id}"

    @cached_property
    def owner(self) -> Owner:
        """Whose it is, read once per instance; of many at once by `fetch_owners`."""
        kind = KINDS.get(BudgetScope(self.scope))
        return kind._default_manager.get(pk=self.scope_id) if kind else None


def fetch_owners(budgets: Iterable[Budget]) -> None:
    """Read the owners of these budgets, with what policies ask of them: a few queries for each scope."""
    of_scope: dict[BudgetScope, list[Budget]] = defaultdict(list)
    for budget in budgets:
        of_scope[BudgetScope(budget.scope)].append(budget)
    for scope in of_scope.keys() & KINDS.keys():
        rows = KINDS[scope]._default_manager.prefetch_related(*_ASKED_OF.get(scope, ()))
        owners = rows.in_bulk({budget.scope_id for budget in of_scope[scope]})
        for budget in of_scope[scope]:
            budget.owner = owners[budget.scope_id]


_ASKED_OF = {
    BudgetScope.KEY: (
        "application__institution",
        "application__managers",
        "application__team__places",
    ),
    BudgetScope.APPLICATION: ("institution", "managers", "team__places"),
    BudgetScope.PERSON: ("user", "institution"),
}


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
    """That a threshold of a budget was told of: once in each window for each amount that it had."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(
        Budget, models.PROTECT, related_name="alerts", verbose_name=_("budget")
    )
    since = models.DateTimeField(_("beginning of the window"))
    threshold = models.PositiveSmallIntegerField(_("per cent"))
    most = models.BigIntegerField(_("at most"))
    told_at = models.DateTimeField(_("told"), auto_now_add=True)

    objects = OfBudgetQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget’s alert")
        verbose_name_plural = _("budgets’ alerts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("budget", "since", "threshold", "most"), name="a_threshold_is_told_of_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.threshold} %"


class BudgetRequestQuerySet(models.QuerySet["BudgetRequest"]):
    def for_user(self, user: User | AnonymousUser) -> "BudgetRequestQuerySet":
        """One's own, those of who manages the same application, and those of institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        if isinstance(user, AnonymousUser):
            return self.none()
        budgets = Budget.objects.for_user(user)
        read = Q(scope_id__in=institution_ids_for(user, *ACCOUNTANTS))
        theirs = budgets.filter(~Q(scope=BudgetScope.INSTITUTION) | read)
        return self.filter(Q(asked_by=user, budget__in=budgets) | Q(budget__in=theirs))

    def open(self) -> "BudgetRequestQuerySet":
        return self.filter(state=RequestState.OPEN)

    def raised(self) -> "BudgetRequestQuerySet":
        return self.filter(state=RequestState.RAISED)

    def over(self, today: date) -> "BudgetRequestQuerySet":
        """Raises whose last day is past, and that hold all the same."""
        return self.raised().filter(until__lt=today)


class BudgetRequest(Row):
    """That somebody asks for more of a budget: `wanted`, until a last day or (None) for good, and the answer to it.

    `granted` is what it was raised to, `before` what it falls back to after the last day.
    """

    budget = models.ForeignKey(
        Budget, models.PROTECT, related_name="requests", verbose_name=_("budget")
    )
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    wanted = models.BigIntegerField(
        _("wanted"), validators=[MinValueValidator(1), MaxValueValidator(LARGEST_BUDGET)]
    )
    until = models.DateField(_("last day"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=LONGEST_ANSWER)
    state = models.CharField(
        _("state"), max_length=9, choices=RequestState, default=RequestState.OPEN
    )
    decided_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    granted = models.BigIntegerField(_("raised to"), null=True, blank=True)
    before = models.BigIntegerField(_("before"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=LONGEST_ANSWER, blank=True)

    objects = BudgetRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request to raise a budget")
        verbose_name_plural = _("requests to raise budgets")
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("budget",),
                condition=Q(state=RequestState.OPEN),
                name="one_open_request_per_budget",
                violation_error_message=_("Somebody has asked for more of this budget already."),
            ),
            models.UniqueConstraint(
                fields=("budget",),
                condition=Q(state=RequestState.RAISED),
                name="one_raise_for_a_time_per_budget",
            ),
            models.CheckConstraint(
                condition=Q(state__in=RequestState.values), name="a_budget_request_has_a_state"
            ),
            models.CheckConstraint(
                condition=~Q(reason="") & (~Q(state=RequestState.DECLINED) | ~Q(answer="")),
                name="a_budget_request_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=(RequestState.GRANTED, RequestState.RAISED))
                | Q(granted__isnull=False, before__isnull=False),
                name="a_raise_says_from_what_to_what",
            ),
            models.CheckConstraint(
                condition=~Q(state=RequestState.RAISED) | Q(until__isnull=False),
                name="a_raise_for_a_time_has_a_last_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget}: {self.wanted}"
