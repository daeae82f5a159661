"""A document with lines, as an institution is handed one: a statement, a credit note, the adjustment of a year.

What writes their files (`billing.statements.files`) takes a `Document` and asks nothing else; what an invoice says
besides is a `Bill` (`billing.invoicing.bill`).
A credit note names the statement that it corrects (`refers_to`), which itself never changes.
"""

import hashlib
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from billing.enums import OWED_LINES, DocumentKind
from billing.models import AccountingPeriod, Note, Statement
from billing.periods import PARIS, following
from billing.statements.statement import Draft, Line, correction_of, kept
from federation.members.models import Institution


@dataclass(frozen=True)
class Reference:
    """The document that another one corrects."""

    number: str
    issued_on: date
    lines_hash: str


@dataclass(frozen=True)
class Document:
    """Amounts in whole cents, lines exact besides; signs as in `Draft`: what is owed is above nothing.

    A draft has neither number nor day of issue. `first_day` and `last_day` are of the month or year that it is about.
    """

    kind: DocumentKind
    number: str
    issued_on: date | None
    institution: Institution
    first_day: date
    last_day: date
    lines: tuple[Line, ...]
    granted_cents: int
    lines_hash: str
    refers_to: Reference | None = None
    remarks: tuple[str, ...] = ()

    @property
    def used_cents(self) -> int:
        return sum(line.cents for line in self.lines if line.kind in OWED_LINES)

    @property
    def served_cents(self) -> int:
        return sum(line.cents for line in self.lines if line.kind not in OWED_LINES)

    @property
    def net_cents(self) -> int:
        """What the institution receives; below nothing, what it pays."""
        return self.served_cents - self.used_cents + self.granted_cents

    @property
    def is_draft(self) -> bool:
        return not self.number

    @property
    def title(self) -> str:
        match self.kind:
            case DocumentKind.STATEMENT:
                return _("Statement of %(month)s") % {"month": date_format(self.first_day, "F Y")}
            case DocumentKind.CREDIT_NOTE:
                month = date_format(self.first_day, "F Y")
                return _("Credit note on the statement of %(month)s") % {"month": month}
            case _:
                return _("Adjustment of the year %(year)s") % {"year": self.first_day.year}


def of_draft(draft: Draft, month: date) -> Document:
    """Return a statement that is not closed."""
    return Document(
        kind=DocumentKind.STATEMENT,
        number="",
        issued_on=None,
        institution=draft.institution,
        first_day=month,
        last_day=_last_day(month),
        lines=draft.lines,
        granted_cents=draft.granted_cents,
        lines_hash=draft.lines_hash,
    )


def of_statement(statement: Statement) -> Document:
    """Return a closed one."""
    draft = kept(statement)
    return Document(
        kind=DocumentKind.STATEMENT,
        number=statement.number,
        issued_on=_closed_on(statement.period),
        institution=statement.institution,
        first_day=statement.period.month,
        last_day=_last_day(statement.period.month),
        lines=draft.lines,
        granted_cents=draft.granted_cents,
        lines_hash=statement.lines_hash,
    )


def of_note(note: Note) -> Document:
    """Return a credit note, or the adjustment of a year."""
    lines = tuple(correction_of(row) for row in note.lines.order_by("position"))
    if note.statement is None:
        assert note.pool is not None  # a constraint: it corrects a statement or a year
        first, last = date(note.pool.year, 1, 1), date(note.pool.year, 12, 31)
        corrected = None
    else:
        first = note.statement.period.month
        last = _last_day(first)
        corrected = reference_to(note.statement)
    return Document(
        kind=DocumentKind(note.kind),
        number=note.number,
        issued_on=note.issued_on,
        institution=note.institution,
        first_day=first,
        last_day=last,
        lines=lines,
        granted_cents=note.granted_cents,
        lines_hash=note.lines_hash,
        refers_to=corrected,
        remarks=(note.reason,) if note.statement else _of_the_year(note),
    )


def reference_to(statement: Statement) -> Reference:
    return Reference(statement.number, _closed_on(statement.period), statement.lines_hash)


def hash_of(
    institution: Institution, granted_cents: int, lines: tuple[Line, ...], corrected: str
) -> str:
    """Return the SHA-256 of a note: whose it is, its lines, and the hash of what it corrects."""
    told = repr((str(institution.pk), granted_cents, [astuple(line) for line in lines], corrected))
    return hashlib.sha256(told.encode()).hexdigest()


def _of_the_year(note: Note) -> tuple[str, ...]:
    assert note.pool is not None  # a constraint: it corrects a statement or a year
    share = note.pool.shares.get(institution=note.institution)
    said = {
        "costs": amount(note.pool.amount_cents),
        "final": amount(share.final_cents),
        "billed": amount(share.billed_cents),
        "earned": amount(share.earned_cents),
        "paid": amount(share.paid_cents),
    }
    return (
        _("The common costs of the year: €%(costs)s.") % said,
        _("Share for what was used: €%(final)s; billed in the year: €%(billed)s.") % said,
        _("Earned for what was served: €%(earned)s; paid in the year: €%(paid)s.") % said,
    )


def amount(cents: int) -> str:
    """Return an amount in euros, without their sign."""
    return number_format(Decimal(cents) / 100, 2, force_grouping=True)


def _closed_on(period: AccountingPeriod) -> date:
    assert period.closed_at is not None  # a constraint: it is closed
    return period.closed_at.astimezone(PARIS).date()


def _last_day(month: date) -> date:
    return following(month) - timedelta(days=1)
