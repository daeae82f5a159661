"""What is issued beside the months' statements: credit notes on closed ones, and the adjustments of a year.

Like statements they are never changed; triggers refuse it. All documents share one row of numbers a year.
"""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.enums import DocumentKind
from billing.models.contests import Contest
from billing.models.ledger import LONGEST_REASON, Transfer
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from billing.models.statements import LONGEST_NUMBER, LineColumns, Statement
from billing.models.years import CostPool
from federation.base import Row
from federation.members.models import Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for


class DocumentSeries(models.Model):
    """How many documents a year has: whoever issues one holds the row, so that no number is left out."""

    year = models.PositiveSmallIntegerField(_("year"), primary_key=True)
    last = models.PositiveIntegerField(_("documents"), default=0)

    class Meta:
        verbose_name = _("documents of a year")
        verbose_name_plural = _("documents by year")

    def __str__(self) -> str:
        return f"{self.year}"


class NoteQuerySet(models.QuerySet["Note"]):
    def for_user(self, user: User | AnonymousUser) -> "NoteQuerySet":
        """Those of the institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))

    def with_invoices(self) -> "NoteQuerySet":
        """With what a list says of each, and in which invoice it stands: without that one's file."""
        related = ("institution", "statement__period", "invoiced__invoice")
        return self.select_related(*related).defer("invoiced__invoice__content")


class Note(Row):
    """Whole cents, signed as a statement's: a credit for what was used is `used_cents` below nothing."""

    kind = models.CharField(_("kind"), max_length=16, choices=DocumentKind.choices)
    number = models.CharField(_("number"), max_length=LONGEST_NUMBER, unique=True)
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="notes", verbose_name=_("institution")
    )
    statement = models.ForeignKey(
        Statement, models.PROTECT, null=True, related_name="notes", verbose_name=_("statement")
    )
    pool = models.ForeignKey(
        CostPool, models.PROTECT, null=True, related_name="notes", verbose_name=_("costs of a year")
    )
    contest = models.ForeignKey(
        Contest, models.PROTECT, null=True, related_name="notes", verbose_name=_("contested line")
    )
    booked_month = models.DateField(_("month"))
    issued_on = models.DateField(_("issued on"))
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)
    used_cents = models.BigIntegerField(_("used at others’"))
    served_cents = models.BigIntegerField(_("served to others, less the fee"))
    granted_cents = models.BigIntegerField(_("paid by what it was granted"))
    net_cents = models.BigIntegerField(_("to receive, or to pay"))
    lines_hash = models.CharField("SHA-256", max_length=64)
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )

    objects = NoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("credit note or adjustment")
        verbose_name_plural = _("credit notes and adjustments")
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(net_cents=F("served_cents") - F("used_cents") + F("granted_cents")),
                name="a_note_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(kind=DocumentKind.CREDIT_NOTE, statement__isnull=False, pool=None)
                | Q(kind=DocumentKind.TRUE_UP, statement=None, pool__isnull=False),
                name="a_note_corrects_a_statement_or_a_year",
            ),
            models.UniqueConstraint(
                fields=("pool", "institution"), name="an_institution_has_one_adjustment_a_year"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class NoteLineQuerySet(models.QuerySet["NoteLine"]):
    def for_user(self, user: User | AnonymousUser) -> "NoteLineQuerySet":
        return self.filter(note__in=Note.objects.for_user(user))


class NoteLine(LineColumns):
    """What one transfer corrects of the institution's: it stands in no statement besides."""

    note = models.ForeignKey(
        Note, models.PROTECT, related_name="lines", verbose_name=_("credit note or adjustment")
    )
    position = models.PositiveIntegerField(_("position"))
    transfer = models.ForeignKey(
        Transfer, models.PROTECT, null=True, related_name="+", verbose_name=_("transfer")
    )

    objects = NoteLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("line of a credit note")
        verbose_name_plural = _("lines of credit notes")
        ordering = ("note_id", "position")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("note", "position"), name="a_line_of_a_note_has_its_own_place"
            ),
            models.UniqueConstraint(
                fields=("note", "transfer"), name="a_transfer_stands_once_in_a_note"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.note} {self.position}"
