"""Writes about invoices: who issues them, what institutions say for theirs, and issuing one, which is for good."""

import hashlib
from datetime import date
from functools import partial
from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from billing.invoicing.numbers import (
    Check,
    check_bic,
    check_e_address,
    check_fields,
    check_iban,
    check_vat_number,
)
from billing.invoicing.paper import facturx_of
from billing.invoicing.statement import asks_for_something, document_of, facts_of, missing
from billing.models import THE_ISSUER, Invoice, InvoicingFacts, Issuer, Statement
from billing.periods import paris_today
from billing.policies import check_keep_accounts, check_tell_invoicing
from billing.statements.statement import kept
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.identifiers import check_siret
from federation.members.models import Institution
from federation.people.models import User


class BilledFacts(TypedDict):
    street: str
    postcode: str
    city: str
    vat_number: str
    e_address: str


class IssuerFacts(BilledFacts):
    name: str
    siret: str
    iban: str
    bic: str
    days: int


class InstitutionFacts(BilledFacts):
    vat_status: str
    service_code: str
    commitment: str
    contract: str


@transaction.atomic
def set_issuer(*, by: Actor, facts: IssuerFacts) -> Issuer:
    """Say who bills for the federation from now on; invoices that were issued stay as they are."""
    check_keep_accounts(by)
    issuer = Issuer.objects.select_for_update().first() or Issuer(pk=THE_ISSUER)
    changed = _take(issuer, dict(facts))
    check_fields(
        ("siret", issuer.siret, check_siret),
        ("iban", issuer.iban, check_iban),
        ("bic", issuer.bic, check_bic),
        *_of_siret(issuer, issuer.siret),
    )
    issuer.full_clean()
    issuer.save()
    record(by=by, verb="billing.set_issuer", obj=issuer, diff={"fields": changed})
    return issuer


@transaction.atomic
def tell_invoicing(
    *, by: Actor, institution: Institution, facts: InstitutionFacts, siret: str = ""
) -> InvoicingFacts:
    """Say what the invoices of an institution need. Its SIRET is taken where the register has none: else it stays."""
    check_tell_invoicing(by, institution)
    locked = Institution.objects.select_for_update().get(pk=institution.pk)
    row = facts_of(locked)
    changed = _take(row, dict(facts))
    if siret and not locked.siret:
        locked.siret = siret
        changed.append("siret")
    check_fields(("siret", locked.siret, check_siret), *_of_siret(row, locked.siret))
    row.full_clean()
    row.save()
    if "siret" in changed:
        locked.full_clean()
        locked.save(update_fields=["siret"])
    record(
        by=by,
        verb="billing.tell_invoicing",
        obj=row,
        institution=locked,
        diff={"fields": changed},
    )
    return row


@transaction.atomic
def issue_invoice(*, by: Actor, statement: Statement) -> Invoice:
    """Issue the invoice of a closed statement: once, however often it is asked. Numbers of a year have no gap.

    Raises `ValidationError` when nothing is to be paid, or something is missing (`missing`).
    """
    check_keep_accounts(by)
    issuer = Issuer.objects.select_for_update().first()  # one invoice after the other
    if known := Invoice.objects.filter(statement=statement).first():
        return known
    statement = Statement.objects.select_related("institution", "period").get(pk=statement.pk)
    if not asks_for_something(kept(statement), statement.notes.all()):
        raise ValidationError(_("Nothing is to be paid for this month."), code="nothing_due")
    if issuer is None or missing(statement.institution):
        raise ValidationError(
            _("Something is missing for the invoice: the statement’s page says what."),
            code="missing",
        )
    today = paris_today()
    document = document_of(statement, issuer=issuer, number=next_number(today), issued_on=today)
    content = facturx_of(document)
    invoice = Invoice.objects.create(
        number=document.number,
        statement=statement,
        issued_on=today,
        total_cents=document.total_cents,
        due_cents=document.due_cents,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        issued_by=by if isinstance(by, User) else None,
    )
    record(
        by=by,
        verb="billing.issue_invoice",
        obj=invoice,
        institution=statement.institution,
        diff={"number": invoice.number, "due_cents": invoice.due_cents, "sha256": invoice.sha256},
    )
    return invoice


def next_number(day: date) -> str:
    """Return the number of the year's next invoice, such as F2026-0001. The issuer's row is locked."""
    issued = Invoice.objects.filter(number__startswith=f"F{day.year}-").count()
    return f"F{day.year}-{issued + 1:04}"


def _take(row: Issuer | InvoicingFacts, facts: dict[str, Any]) -> list[str]:
    """Write what was said into the row; return the fields that it changes."""
    changed = [name for name, value in facts.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, facts[name])
    return changed


def _of_siret(row: Issuer | InvoicingFacts, siret: str) -> list[Check]:
    return [
        ("vat_number", row.vat_number, partial(check_vat_number, siret=siret)),
        ("e_address", row.e_address, partial(check_e_address, siret=siret)),
    ]
