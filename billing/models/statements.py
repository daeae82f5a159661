"""What an institution owes and earns for a month, line by line, as it stood when the month was closed.

Triggers refuse to change or remove either; what comes later, or was wrong, stands in the next month.
"""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.enums import LineKind, LineUnit
from billing.models.ledger import AccountingPeriod
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from federation.base import Row
from federation.members.models import Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for

LONGEST_NAME = 200
LONGEST_NUMBER = 16


class StatementQuerySet(models.QuerySet["Statement"]):
    def for_user(self, user: User | AnonymousUser) -> "StatementQuerySet":
        """Those of the institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))


class Statement(Row):
    """Whole cents. `net_cents` is what the institution receives; below nothing, what it pays."""

    period = models.ForeignKey(
        AccountingPeriod, models.PROTECT, related_name="statements", verbose_name=_("month")
    )
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="statements", verbose_name=_("institution")
    )
    used_cents = models.BigIntegerField(_("used at others’"))
    served_cents = models.BigIntegerField(_("served to others, less the fee"))
    granted_cents = models.BigIntegerField(_("paid by what it was granted"))
    net_cents = models.BigIntegerField(_("to receive, or to pay"))
    lines_hash = models.CharField("SHA-256", max_length=64)
    number = models.CharField(_("number"), max_length=LONGEST_NUMBER, unique=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        ordering = ("period_id", "institution_id")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("period", "institution"), name="an_institution_has_one_statement_a_month"
            ),
            models.CheckConstraint(
                condition=Q(net_cents=F("served_cents") - F("used_cents") + F("granted_cents")),
                name="a_statement_adds_up",
            ),
            models.CheckConstraint(condition=~Q(number=""), name="a_statement_has_a_number"),
        ]

    def __str__(self) -> str:
        return f"{self.period} {self.institution}"


class StatementLineQuerySet(models.QuerySet["StatementLine"]):
    def for_user(self, user: User | AnonymousUser) -> "StatementLineQuerySet":
        return self.filter(statement__in=Statement.objects.for_user(user))


class LineColumns(Row):
    """So many units at a price, exactly, and rounded half up to cents: the one place where money is rounded.

    Names stand as they were; a line without a unit is an amount (a fee, a correction). The quantity of audio is in
    milliseconds, its price that of a second.
    """

    kind = models.CharField(_("kind"), max_length=24, choices=LineKind.choices)
    other_name = models.CharField(_("other institution"), max_length=LONGEST_NAME, blank=True)
    model_name = models.CharField(_("model"), max_length=LONGEST_NAME, blank=True)
    origin_month = models.DateField(_("month of the requests"), null=True)
    unit = models.CharField(_("unit"), max_length=16, choices=LineUnit.choices, blank=True)
    quantity = models.BigIntegerField(_("quantity"), default=0)
    unit_nano = models.BigIntegerField(_("nano-euros a unit"), default=0)
    exact_nano = models.BigIntegerField(_("nano-euros"))
    cents = models.BigIntegerField(_("cents"))

    class Meta:
        abstract = True


class StatementLine(LineColumns):
    statement = models.ForeignKey(
        Statement, models.PROTECT, related_name="lines", verbose_name=_("statement")
    )
    position = models.PositiveIntegerField(_("position"))

    objects = StatementLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("line of a statement")
        verbose_name_plural = _("lines of statements")
        ordering = ("statement_id", "position")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("statement", "position"), name="a_line_has_a_place_of_its_own"
            )
        ]

    def __str__(self) -> str:
        return f"{self.statement} {self.position}"
