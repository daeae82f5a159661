"""What an institution says to its statement: that a line is wrong, and why, or that it accepts all of it."""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.enums import ContestState
from billing.models.ledger import LONGEST_REASON
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from billing.models.statements import LineColumns
from federation.base import Row
from federation.members.models import Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for

LONGEST_LINE_KEY = 16


class ContestQuerySet(models.QuerySet["Contest"]):
    def for_user(self, user: User | AnonymousUser) -> "ContestQuerySet":
        """Those of the institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))

    def waiting(self) -> "ContestQuerySet":
        return self.filter(state=ContestState.OPEN)


class Contest(LineColumns):
    """The line as it stood when it was contested; `line_key` finds it in the statement, drafts included."""

    month = models.DateField(_("month"))
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="contests", verbose_name=_("institution")
    )
    line_key = models.CharField(_("line"), max_length=LONGEST_LINE_KEY)
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)
    state = models.CharField(
        _("state"), max_length=12, choices=ContestState.choices, default=ContestState.OPEN
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    answer = models.CharField(_("answer"), max_length=LONGEST_REASON, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True)
    answered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("answered by")
    )

    objects = ContestQuerySet.as_manager()

    class Meta:
        verbose_name = _("contested line")
        verbose_name_plural = _("contested lines")
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("institution", "month", "line_key"),
                condition=Q(state=ContestState.OPEN),
                name="a_line_has_one_open_contest",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ContestState.values), name="a_contest_has_a_state"
            ),
            models.CheckConstraint(
                condition=Q(state=ContestState.OPEN, answered_at=None)
                | ~Q(state=ContestState.OPEN) & Q(answered_at__isnull=False),
                name="an_answered_contest_has_its_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.institution} {self.line_key}"


class AcceptanceQuerySet(models.QuerySet["Acceptance"]):
    def for_user(self, user: User | AnonymousUser) -> "AcceptanceQuerySet":
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))


class Acceptance(Row):
    """A statement is accepted as it reads: `lines_hash` is its own. A draft that changes is not accepted any more."""

    month = models.DateField(_("month"))
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="acceptances", verbose_name=_("institution")
    )
    lines_hash = models.CharField("SHA-256", max_length=64)
    accepted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("accepted by")
    )

    objects = AcceptanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("accepted statement")
        verbose_name_plural = _("accepted statements")
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("institution", "month", "lines_hash"), name="a_statement_is_accepted_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.institution}"
