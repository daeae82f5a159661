"""What a page says of the invoice of a statement or a note: that it is there, or why not, or what is missing for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing.enums import InvoiceKind
from billing.invoicing.basis import basis_of, invoice_of, months_to_invoice, refusal_of
from billing.invoicing.facts import Missing, missing
from billing.models import Invoice, Note, Statement
from federation.members.models import Institution


@dataclass(frozen=True)
class Prospect:
    institution: Institution
    kind: InvoiceKind
    invoice: Invoice | None
    refusal: str
    code: str
    """Of the refusal, as the operation's."""
    months: Sequence[date]
    """Whose invoices are issued before."""
    later: Sequence[Note]
    """Notes on the statement that came after its invoice, and stand in none."""
    missing: Missing

    @property
    def is_credit(self) -> bool:
        return self.kind == InvoiceKind.CREDIT_NOTE


def prospect_of(source: Statement | Note) -> Prospect:
    invoice, basis = invoice_of(source), basis_of(source)
    refusal = None if invoice else refusal_of(source, basis)
    return Prospect(
        institution=basis.institution,
        kind=basis.kind,
        invoice=invoice,
        refusal=" ".join(refusal.messages) if refusal else "",
        code=(refusal.code or "") if refusal else "",
        months=months_to_invoice(source) if refusal else (),
        later=_later(source) if invoice else (),
        missing=missing(basis.institution, basis.vat),
    )


def _later(source: Statement | Note) -> Sequence[Note]:
    if isinstance(source, Note):
        return ()
    return list(source.notes.filter(invoiced=None).exclude(used_cents=0).order_by("number"))
