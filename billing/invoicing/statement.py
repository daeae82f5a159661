"""What the invoice of a closed statement says, and what is missing before there can be one.

It is about what the institution used. What it served is credited to it in the ledger and stands in the statement: the
federation does not bill in an institution's name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.enums import OWED_LINES, LineKind, VatStatus
from billing.invoicing.document import (
    BankAccount,
    Document,
    Item,
    Kind,
    Note,
    Orders,
    Party,
)
from billing.models import InvoicingFacts, Issuer, Statement
from billing.models import Note as CreditNote
from billing.periods import following
from billing.statements.statement import Draft, Line, kept
from federation.members.models import Institution

FRENCH = "fr"


@dataclass(frozen=True)
class Missing:
    """What an invoice lacks of the issuer and of the institution: the names of their fields, in words."""

    of_issuer: Sequence[str]
    of_institution: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.of_issuer or self.of_institution)


def facts_of(institution: Institution) -> InvoicingFacts:
    """Return what the institution says for its invoices; nothing, when it has said nothing."""
    found = InvoicingFacts.objects.filter(institution=institution).first()
    return found or InvoicingFacts(institution=institution)


def asks_for_something(draft: Draft, notes: Iterable[CreditNote] = ()) -> bool:
    """Whether there is something to pay for what was used, beyond what grants have paid and credit notes took back."""
    documents: list[Draft | CreditNote] = [draft, *notes]
    return sum(each.used_cents - each.granted_cents for each in documents) > 0


def missing(institution: Institution) -> Missing:
    issuer, facts = Issuer.objects.first(), facts_of(institution)
    of_institution = [
        (_("SIRET"), institution.siret),
        (_("value-added tax"), "" if facts.vat_status == VatStatus.UNKNOWN else facts.vat_status),
        *_address(facts),
    ]
    of_issuer = [(_("name, SIRET, address and IBAN"), "")]
    if issuer is not None:
        of_issuer = _address(issuer)
        if facts.vat_status == VatStatus.TAXABLE:
            of_issuer.append((_("VAT number"), issuer.vat_number))
    return Missing(
        [label for label, value in of_issuer if not value],
        [label for label, value in of_institution if not value],
    )


def _address(side: Issuer | InvoicingFacts) -> list[tuple[str, str]]:
    return [
        (_("street"), side.street),
        (_("postcode"), side.postcode),
        (_("town"), side.city),
    ]


def document_of(statement: Statement, *, issuer: Issuer, number: str, issued_on: date) -> Document:
    """Return what the invoice says, with the credit notes that there are; in French, whatever the reader's language."""
    institution, month = statement.institution, statement.period.month
    facts, draft = facts_of(institution), kept(statement)
    corrections = list(statement.notes.order_by("number"))
    with override(FRENCH):
        items = [_item(line) for line in draft.lines if line.kind in OWED_LINES]
        items += [item for note in corrections for item in _credited(note)]
        notes = list(_notes())
    return Document(
        kind=Kind.INVOICE,
        number=number,
        issued_on=issued_on,
        due_on=issued_on + timedelta(days=issuer.days),
        first_day=month,
        last_day=following(month) - timedelta(days=1),
        seller=_party(issuer, issuer.name, issuer.siret),
        buyer=_party(facts, institution.name, institution.siret),
        orders=Orders(facts.service_code, facts.commitment, facts.contract),
        account=BankAccount(issuer.iban, issuer.bic),
        vat=VatStatus(facts.vat_status),
        items=items,
        notes=notes,
        paid_cents=draft.granted_cents + sum(note.granted_cents for note in corrections),
    )


def _party(side: Issuer | InvoicingFacts, name: str, siret: str) -> Party:
    return Party(
        name=name,
        siret=siret,
        vat_number=side.vat_number,
        street=side.street,
        postcode=side.postcode,
        city=side.city,
        e_address=side.e_address,
    )


def _item(line: Line) -> Item:
    if not line.unit:
        return Item(str(line.kind.label), "", 0, 0, line.cents)
    of_month = date_format(line.origin_month, "F Y") if line.origin_month else ""
    return Item(
        name=f"{line.model_name}, {line.unit.label}",
        detail=_("answered by %(institution)s, %(month)s")
        % {"institution": line.other_name, "month": of_month},
        quantity=line.units,
        unit_nano=line.unit_nano,
        cents=line.cents,
    )


def _credited(note: CreditNote) -> Iterator[Item]:
    named = _("Credit note %(number)s") % {"number": note.number}
    for row in note.lines.order_by("position"):
        if row.kind in OWED_LINES:
            yield Item(str(LineKind(row.kind).label), named, 0, 0, row.cents)


def _notes() -> Iterator[Note]:
    """What French law wants to stand on every invoice."""
    yield Note("PMT", _("For a late payment a fixed sum of €40 is owed for the costs of recovery."))
    yield Note(
        "PMD",
        _(
            "For a late payment interest is owed at the rate of the European Central Bank’s main refinancing "
            "operations, raised by eight points."
        ),
    )
    yield Note("AAB", _("No discount for early payment."))
