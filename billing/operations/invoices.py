"""Writes about invoices: who issues them, what institutions say for theirs, and issuing one, which is for good."""

import hashlib
from datetime import date
from functools import partial
from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from billing.invoicing.basis import Basis, basis_of, bill_of, invoice_of, refusal_of
from billing.invoicing.facts import facts_of, missing
from billing.invoicing.numbers import (
    Check,
    check_bic,
    check_e_address,
    check_fields,
    check_iban,
    check_vat_number,
)
from billing.invoicing.paper import facturx_of
from billing.models import (
    THE_ISSUER,
    Invoice,
    InvoicedNote,
    InvoicingFacts,
    Issuer,
    Note,
    Statement,
)
from billing.operations.entries import person
from billing.periods import paris_today
from billing.policies import check_keep_accounts, check_tell_invoicing
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.identifiers import check_siret
from federation.members.models import Institution


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
    locked = Institution.objects.select_for_update(no_key=True).get(pk=institution.pk)
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
def issue_invoice(*, by: Actor, source: Statement | Note) -> Invoice:
    """Issue the invoice of a closed statement, or the invoice or credit note of what corrects one or a year.

    Once, however often it is asked: a note that stands in its statement's invoice has that one; one that is made
    meanwhile does not, and gets its own. Numbers of a year have no gap. Raises `ValidationError` when there is nothing
    to issue, or something is missing (`missing`).
    """
    check_keep_accounts(by)
    issuer = Issuer.objects.select_for_update().first()  # one invoice after the other
    source = _anew(source)
    if known := invoice_of(source):
        return known
    basis = basis_of(source)
    if refusal := refusal_of(source, basis):
        raise refusal
    if issuer is None or missing(basis.institution, basis.vat):
        raise ValidationError(
            _("Something is missing for the invoice: its page says what."), code="missing"
        )
    invoice = _issued(basis, issuer, by)
    record(
        by=by,
        verb="billing.issue_credit" if invoice.is_credit else "billing.issue_invoice",
        obj=invoice,
        institution=basis.institution,
        diff={"number": invoice.number, "due_cents": invoice.due_cents, "sha256": invoice.sha256},
    )
    return invoice


def next_number(day: date) -> str:
    """Return the next number of the year, such as F2026-0001: invoices and credit notes have one row of numbers.

    The issuer's row is locked.
    """
    issued = Invoice.objects.filter(number__startswith=f"F{day.year}-").count()
    return f"F{day.year}-{issued + 1:04}"


def _anew(source: Statement | Note) -> Statement | Note:
    """Return it with what its institution says by now."""
    if isinstance(source, Note):
        return Note.objects.select_related("institution", "statement", "pool").get(pk=source.pk)
    return Statement.objects.select_related("institution").get(pk=source.pk)


def _issued(basis: Basis, issuer: Issuer, by: Actor) -> Invoice:
    today = paris_today()
    bill = bill_of(basis, issuer=issuer, number=next_number(today), issued_on=today)
    content = facturx_of(bill)
    invoice = Invoice.objects.create(
        kind=bill.kind,
        number=bill.number,
        institution=basis.institution,
        statement=basis.statement,
        issued_on=today,
        net_cents=bill.net_cents,
        total_cents=bill.total_cents,
        due_cents=bill.due_cents,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        issued_by=person(by),
    )
    InvoicedNote.objects.bulk_create(
        InvoicedNote(invoice=invoice, note=note) for note in basis.notes
    )
    return invoice


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
