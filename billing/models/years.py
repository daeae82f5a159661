"""What a year really cost, and each institution's part of it once that is posted; then it is never changed."""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from federation.base import Row
from federation.members.models import Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for

FIRST_YEAR, LAST_YEAR = 2020, 2100
LONGEST_EVIDENCE = 2000


class CostPoolQuerySet(models.QuerySet["CostPool"]):
    def for_user(self, user: User | AnonymousUser) -> "CostPoolQuerySet":
        """What is posted is every account holder's; what is not, whose who read all accounts."""
        if reads_all_accounts(user):
            return self
        active = isinstance(user, User) and user.is_active
        return self.filter(posted_at__isnull=False) if active else self.none()


class CostPool(Row):
    """The exact common costs of a year, in cents, and what proves them; each member owes its share of exactly these."""

    year = models.PositiveSmallIntegerField(_("year"), unique=True)
    amount_cents = models.BigIntegerField(_("cents"))
    evidence = models.TextField(_("what proves them"), max_length=LONGEST_EVIDENCE)
    entered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("entered by")
    )
    posted_at = models.DateTimeField(_("posted"), null=True)
    posted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("posted by")
    )

    objects = CostPoolQuerySet.as_manager()

    class Meta:
        verbose_name = _("costs of a year")
        verbose_name_plural = _("costs of years")
        ordering = ("-year",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount_cents__gte=0), name="a_year_costs_nothing_or_more"
            ),
            models.CheckConstraint(
                condition=Q(year__range=(FIRST_YEAR, LAST_YEAR)), name="costs_are_of_a_year"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.year}"


class YearShareQuerySet(models.QuerySet["YearShare"]):
    def for_user(self, user: User | AnonymousUser) -> "YearShareQuerySet":
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))


class YearShare(Row):
    """What was billed to an institution in the year, credit notes included, and what is its share of the costs."""

    pool = models.ForeignKey(
        CostPool, models.PROTECT, related_name="shares", verbose_name=_("costs of a year")
    )
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="year_shares", verbose_name=_("institution")
    )
    used_nano = models.BigIntegerField(_("used at provisional prices, in nano-euros"))
    billed_cents = models.BigIntegerField(_("billed for what was used"))
    final_cents = models.BigIntegerField(_("share of the costs"))
    served_nano = models.BigIntegerField(_("served at provisional prices, in nano-euros"))
    paid_cents = models.BigIntegerField(_("paid for what was served"))
    earned_cents = models.BigIntegerField(_("final earnings"))

    objects = YearShareQuerySet.as_manager()

    class Meta:
        verbose_name = _("share of a year’s costs")
        verbose_name_plural = _("shares of years’ costs")
        ordering = ("pool_id", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("pool", "institution"), name="an_institution_has_one_share_a_year"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.institution}"
