"""What an invoice or a credit note is drawn up from: a closed statement with the credit notes on it so far, one that
came afterwards, or the adjustment of a year.

It is about what the institution used. What it served is credited to it in the ledger and stands in the statement: the
federation does not bill in an institution's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.enums import OWED_LINES, DocumentKind, InvoiceKind, LineKind, VatStatus
from billing.invoicing.bill import BankAccount, Bill, Item, Mention, Orders, Party, Preceding
from billing.invoicing.facts import facts_of
from billing.models import Contest, Invoice, InvoicingFacts, Issuer, Note, Statement
from billing.periods import following
from billing.statements.statement import Line, kept
from federation.members.models import Institution

FRENCH = "fr"


@dataclass(frozen=True)
class Basis:
    """`statement` is None where one note alone is invoiced; `corrects` are then the invoices that it corrects."""

    institution: Institution
    first_day: date
    last_day: date
    statement: Statement | None
    notes: tuple[Note, ...]
    corrects: tuple[Invoice, ...]

    @property
    def used_cents(self) -> int:
        return sum(each.used_cents for each in self._documents)

    @property
    def granted_cents(self) -> int:
        return sum(each.granted_cents for each in self._documents)

    @property
    def kind(self) -> InvoiceKind:
        return InvoiceKind.CREDIT_NOTE if self.used_cents < 0 else InvoiceKind.INVOICE

    @property
    def vat(self) -> VatStatus:
        """What corrects an invoice is taxed as that was, whatever the institution has become since."""
        if self.corrects:
            return VatStatus.TAXABLE if self.corrects[-1].is_taxed else VatStatus.EXEMPT
        return VatStatus(facts_of(self.institution).vat_status)

    @property
    def _documents(self) -> list[Statement | Note]:
        return [*([self.statement] if self.statement else []), *self.notes]


def basis_of(source: Statement | Note) -> Basis:
    institution, span = source.institution, _span(source)
    if isinstance(source, Statement):
        return Basis(institution, *span, source, tuple(source.notes.order_by("number")), ())
    return Basis(institution, *span, None, (source,), tuple(_corrected(source)))


def invoice_of(source: Statement | Note) -> Invoice | None:
    """Return the invoice in which a statement or a note stands, without its file."""
    found = Invoice.objects.defer("content")
    if isinstance(source, Statement):
        return found.filter(statement=source).first()
    return found.filter(invoiced_notes__note=source).first()


def refusal_of(source: Statement | Note, basis: Basis) -> ValidationError | None:
    """Return why nothing can be issued of it, now or at all. What is missing for it is another question."""
    if isinstance(source, Statement):
        return _refusal_of_statement(source, basis)
    if not basis.used_cents:
        return ValidationError(
            _("It is about what was served: the federation bills in no institution’s name."),
            code="served",
        )
    if source.statement is not None and not basis.corrects:
        return ValidationError(
            _("The statement has no invoice: that one would contain this credit note too."),
            code="not_invoiced",
        )
    if months_to_invoice(source):
        return ValidationError(
            _("The invoices of the year’s months are issued first."), code="months"
        )
    if basis.kind == InvoiceKind.CREDIT_NOTE:
        return None if basis.corrects else ValidationError(
            _("Nothing of the year was invoiced: there is no invoice to take something back of."),
            code="no_invoice",
        )  # fmt: skip
    return _nothing_due(basis)


def months_to_invoice(source: Statement | Note) -> list[date]:
    """Return the months of the adjustment's year that ask for something and have no invoice yet."""
    if isinstance(source, Statement) or source.pool is None:
        return []
    of_year = Statement.objects.filter(
        institution=source.institution, period__month__year=source.pool.year, invoice=None
    )
    return [
        statement.period_id
        for statement in of_year.select_related("institution", "period")
        if _nothing_due(basis_of(statement)) is None
    ]


def bill_of(basis: Basis, *, issuer: Issuer, number: str, issued_on: date) -> Bill:
    """Return what it says; in French, whatever the reader's language."""
    institution, facts = basis.institution, facts_of(basis.institution)
    sign = -1 if basis.kind == InvoiceKind.CREDIT_NOTE else 1
    with override(FRENCH):
        items = [_item(line) for line in _lines(basis.statement) if line.kind in OWED_LINES]
        items += [item for note in basis.notes for item in _items_of(note, sign)]
        mentions = list(_mentions())
    return Bill(
        kind=basis.kind,
        number=number,
        issued_on=issued_on,
        due_on=issued_on + timedelta(days=issuer.days),
        first_day=basis.first_day,
        last_day=basis.last_day,
        seller=_party(issuer, issuer.name, issuer.siret),
        buyer=_party(facts, institution.name, institution.siret),
        orders=Orders(facts.service_code, facts.commitment, facts.contract),
        account=BankAccount(issuer.iban, issuer.bic),
        vat=basis.vat,
        items=items,
        mentions=mentions,
        granted_cents=sign * basis.granted_cents,
        corrects=[Preceding(each.number, each.issued_on) for each in basis.corrects],
    )


def _span(source: Statement | Note) -> tuple[date, date]:
    """Return the first and the last day of the month or year that it is about."""
    statement = source if isinstance(source, Statement) else source.statement
    if statement is not None:
        return statement.period_id, following(statement.period_id) - timedelta(days=1)
    assert isinstance(source, Note) and source.pool is not None  # noqa: PT018  # a constraint
    return date(source.pool.year, 1, 1), date(source.pool.year, 12, 31)


def _refusal_of_statement(statement: Statement, basis: Basis) -> ValidationError | None:
    waiting = Contest.objects.waiting().filter(month=statement.period_id)
    refusal = _nothing_due(basis)
    if refusal is None and waiting.filter(institution=statement.institution).exists():
        refusal = ValidationError(
            _("A line of the statement is contested: it is invoiced once that is answered."),
            code="contested",
        )
    return refusal


def _nothing_due(basis: Basis) -> ValidationError | None:
    if basis.used_cents > basis.granted_cents:
        return None
    return ValidationError(
        _("Nothing is to be paid for what was used, beyond what grants have paid."),
        code="nothing_due",
    )


def _corrected(note: Note) -> Iterator[Invoice]:
    """Yield the invoice of the statement that a note is on, or those of the adjustment's year."""
    issued = Invoice.objects.defer("content").filter(kind=InvoiceKind.INVOICE)
    if note.pool is None:
        yield from issued.filter(statement=note.statement)
        return
    of_year = Q(statement__period__month__year=note.pool.year)
    of_year |= Q(invoiced_notes__note__statement__period__month__year=note.pool.year)
    yield from issued.filter(of_year, institution=note.institution).distinct().order_by("number")


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


def _lines(statement: Statement | None) -> tuple[Line, ...]:
    return kept(statement).lines if statement else ()


def _item(line: Line) -> Item:
    if not line.unit:
        name = ", ".join(filter(None, (line.model_name, line.label)))
        return Item(name, "", 0, 0, line.cents)
    of_month = date_format(line.origin_month, "F Y") if line.origin_month else ""
    return Item(
        name=f"{line.model_name}, {line.unit.label}",
        detail=_("answered by %(institution)s, %(month)s")
        % {"institution": line.other_name, "month": of_month},
        quantity=line.units,
        unit_nano=line.unit_nano,
        cents=line.cents,
    )


def _items_of(note: Note, sign: int) -> Iterator[Item]:
    is_credit_note = note.kind == DocumentKind.CREDIT_NOTE
    named = _("Credit note %(number)s") if is_credit_note else _("Adjustment %(number)s")
    for row in note.lines.order_by("position"):
        if row.kind in OWED_LINES:
            label = str(LineKind(row.kind).label)
            yield Item(label, named % {"number": note.number}, 0, 0, sign * row.cents)


def _mentions() -> Iterator[Mention]:
    """What French law wants to stand on every invoice."""
    yield Mention(
        "PMT", _("For a late payment a fixed sum of €40 is owed for the costs of recovery.")
    )
    yield Mention(
        "PMD",
        _(
            "For a late payment interest is owed at the rate of the European Central Bank’s main refinancing "
            "operations, raised by eight points."
        ),
    )
    yield Mention("AAB", _("No discount for early payment."))
