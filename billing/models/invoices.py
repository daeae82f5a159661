"""Invoices: who issues them, what institutions say for theirs, and those that were issued, as files.

Triggers refuse to change or remove an issued one; what was wrong in it is taken back by a credit note.
"""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.enums import InvoiceKind, VatStatus
from billing.models.notes import Note
from billing.models.scopes import ACCOUNTANTS, reads_all_accounts
from billing.models.statements import Statement
from federation.base import Row
from federation.members.models import SIRET, Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for

THE_ISSUER = 1
"""The one row of its table."""
USUAL_DAYS, MOST_DAYS = 30, 60
"""In which to pay: by law, a public body within 30."""
LONGEST_ORDER = 50
MOST_BYTES = 8 * 2**20


class Billed(models.Model):
    """What both sides of an invoice have."""

    street = models.TextField(_("street"), max_length=200, blank=True)
    postcode = models.CharField(
        _("postcode"), max_length=5, blank=True, validators=[RegexValidator(r"^[0-9]{5}$")]
    )
    city = models.CharField(_("town"), max_length=100, blank=True)
    vat_number = models.CharField(_("VAT number"), max_length=13, blank=True)
    e_address = models.CharField(_("address for e-invoices"), max_length=120, blank=True)

    class Meta:
        abstract = True


class IssuerQuerySet(models.QuerySet["Issuer"]):
    def for_user(self, user: User | AnonymousUser) -> "IssuerQuerySet":
        """It stands on every invoice; beforehand it is read by who reads all accounts."""
        return self if reads_all_accounts(user) else self.none()


class Issuer(Billed):
    """Who bills for the federation: the institution that bears the consortium."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=THE_ISSUER, editable=False)
    name = models.CharField(_("name"), max_length=150)
    siret = models.CharField("SIRET", max_length=14, validators=[RegexValidator(SIRET)])
    iban = models.CharField("IBAN", max_length=34)
    bic = models.CharField("BIC", max_length=11, blank=True)
    days = models.PositiveSmallIntegerField(
        _("days to pay"),
        default=USUAL_DAYS,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)],
    )

    objects = IssuerQuerySet.as_manager()

    class Meta:
        verbose_name = _("issuer of invoices")
        verbose_name_plural = _("issuer of invoices")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=THE_ISSUER), name="one_issues_for_all")
        ]

    def __str__(self) -> str:
        return self.name


class InvoicingFactsQuerySet(models.QuerySet["InvoicingFacts"]):
    def for_user(self, user: User | AnonymousUser) -> "InvoicingFactsQuerySet":
        """Those of the institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))


class InvoicingFacts(Billed, Row):
    """What an institution says for the invoices that it receives; Chorus Pro may ask for the last three."""

    institution = models.OneToOneField(
        Institution, models.PROTECT, related_name="invoicing", verbose_name=_("institution")
    )
    vat_status = models.CharField(
        _("value-added tax"), max_length=16, choices=VatStatus, default=VatStatus.UNKNOWN
    )
    service_code = models.CharField(_("service code"), max_length=LONGEST_ORDER, blank=True)
    commitment = models.CharField(_("commitment number"), max_length=LONGEST_ORDER, blank=True)
    contract = models.CharField(_("contract"), max_length=LONGEST_ORDER, blank=True)

    objects = InvoicingFactsQuerySet.as_manager()

    class Meta:
        verbose_name = _("facts for invoices")
        verbose_name_plural = _("facts for invoices")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(vat_status__in=VatStatus.values), name="a_vat_status_is_known"
            )
        ]

    def __str__(self) -> str:
        return str(self.institution)


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def for_user(self, user: User | AnonymousUser) -> "InvoiceQuerySet":
        """Those of the institutions whose accounts one reads."""
        if reads_all_accounts(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, *ACCOUNTANTS))


class Invoice(Row):
    """An invoice or a credit note, as it was issued: the whole file, with its SHA-256. Numbers of a year have no gap.

    Of a statement and the notes on it so far, or of one note alone. Amounts are above nothing in either kind.
    """

    kind = models.CharField(_("kind"), max_length=3, choices=InvoiceKind.choices)
    number = models.CharField(_("number"), max_length=20, unique=True)
    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="invoices", verbose_name=_("institution")
    )
    statement = models.OneToOneField(
        Statement, models.PROTECT, null=True, related_name="invoice", verbose_name=_("statement")
    )
    issued_on = models.DateField(_("issued on"))
    net_cents = models.BigIntegerField(_("total without VAT"))
    total_cents = models.BigIntegerField(_("total with VAT"))
    due_cents = models.BigIntegerField(_("to pay, or to get back"))
    content = models.BinaryField(max_length=MOST_BYTES)
    sha256 = models.CharField("SHA-256", max_length=64)
    issued_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("issued by")
    )

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ("number",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind=InvoiceKind.INVOICE, due_cents__gt=0)
                | Q(
                    kind=InvoiceKind.CREDIT_NOTE,
                    statement=None,
                    net_cents__gt=0,
                    due_cents__gte=0,
                ),
                name="an_invoice_asks_and_a_credit_note_gives",
            ),
            models.CheckConstraint(
                condition=Q(total_cents__gte=F("net_cents")), name="a_tax_is_nothing_or_more"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_credit(self) -> bool:
        return self.kind == InvoiceKind.CREDIT_NOTE

    @property
    def is_taxed(self) -> bool:
        return self.total_cents > self.net_cents


class InvoicedNoteQuerySet(models.QuerySet["InvoicedNote"]):
    def for_user(self, user: User | AnonymousUser) -> "InvoicedNoteQuerySet":
        return self.filter(invoice__in=Invoice.objects.for_user(user))


class InvoicedNote(Row):
    """In which invoice a note stands: that of its statement, when it was there before, or one of its own."""

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="invoiced_notes", verbose_name=_("invoice")
    )
    note = models.OneToOneField(
        Note, models.PROTECT, related_name="invoiced", verbose_name=_("credit note or adjustment")
    )

    objects = InvoicedNoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("note of an invoice")
        verbose_name_plural = _("notes of invoices")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.invoice} {self.note}"
