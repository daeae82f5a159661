"""Credit notes: what is corrected of a closed month, as a document to each institution that it concerns.

The closed statement stays as it is. Small corrections of one statement add up before they are rounded, so that many of
less than a cent are not lost; what rounding moves is a transfer.
"""

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.db.models import F, Sum

from billing import mails
from billing.enums import AccountKind, DocumentKind, LineKind, TransferReason
from billing.ledger.books import hold_the_books
from billing.models import (
    Contest,
    DocumentSeries,
    Note,
    NoteLine,
    Statement,
    Transfer,
    UsageRecord,
)
from billing.operations.entries import (
    account,
    book,
    check_year_is_open,
    first_open_month,
    is_closed,
    person,
    settle,
)
from billing.periods import paris_today
from billing.statements.document import hash_of
from billing.statements.statement import NANO_PER_CENT, CorrectionLine, Line, rounded
from federation.catalogue.models import AIModel
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution

OF_DOCUMENTS = (AccountKind.CONSUMER, AccountKind.HOST)
"""What statements and notes tell of; grants have no document."""


def next_number(day: date) -> str:
    """Return the next number of the day's year, such as 2026-00017; without gaps, as others wait until it is kept."""
    DocumentSeries.objects.get_or_create(year=day.year)
    DocumentSeries.objects.select_for_update().get(year=day.year)
    DocumentSeries.objects.filter(year=day.year).update(last=F("last") + 1)
    return f"{day.year}-{DocumentSeries.objects.get(year=day.year).last:05d}"


def month_corrected(transfer: Transfer) -> date:
    """Return the month whose statement a transfer stands in, by itself or by a credit note."""
    noted = NoteLine.objects.filter(transfer=transfer, note__statement__isnull=False)
    line = noted.select_related("note__statement").first()
    if line is None or line.note.statement is None:
        return transfer.booked_month
    return line.note.statement.period_id


def month_for_correction(corrected: date, *transfers: Transfer) -> date:
    """Hold the books, and return where a correction of such transfers is booked: in their month, or the first open one.

    Raises `ValidationError` when the year is settled.
    """
    hold_the_books()
    sides = {side.kind for each in transfers for side in (each.debit, each.credit)}
    if sides & set(OF_DOCUMENTS):
        check_year_is_open(corrected)
    return first_open_month() if is_closed(corrected) else corrected


@transaction.atomic
def credit(
    *,
    by: Actor,
    month: date,
    transfers: Sequence[Transfer],
    reason: str,
    contest: Contest | None = None,
    request: UsageRecord | None = None,
) -> list[Note]:
    """Issue the credit notes that correct the statements of `month` by these transfers; none while it is not closed.

    A step of the operations that correct: who may was asked there. `request` is named in the lines.
    """
    if not is_closed(month):
        return []
    statements = {
        statement.institution: statement
        for statement in Statement.objects.filter(period_id=month).select_related("institution")
    }
    sides = [side for each in transfers for side in (each.debit, each.credit)]
    concerned = {side.institution for side in sides if side.institution} & statements.keys()
    made = []
    for institution in sorted(concerned, key=lambda each: (each.name, each.pk)):
        corrected = [
            (line, transfer)
            for transfer in transfers
            for line in _sides(transfer, institution, request)
        ]
        if corrected:
            note = _issue(statements[institution], corrected, by, reason, contest)
            made.append(note)
            record(
                by=by,
                verb="billing.credit_note",
                obj=note,
                institution=institution,
                diff={"number": note.number, "net_cents": note.net_cents},
            )
            mails.tell_of_note(note)
    return made


def keep_lines(note: Note, lines: Sequence[tuple[Line, Transfer | None]]) -> None:
    NoteLine.objects.bulk_create(
        NoteLine(
            note=note,
            position=position,
            transfer=transfer,
            kind=line.kind,
            other_name=line.other_name,
            model_name=line.model_name,
            origin_month=line.origin_month,
            unit=line.unit or "",
            quantity=line.quantity,
            unit_nano=line.unit_nano,
            exact_nano=line.exact_nano,
            cents=line.cents,
        )
        for position, (line, transfer) in enumerate(lines, start=1)
    )


def _sides(transfer: Transfer, institution: Institution, request: UsageRecord | None) -> list[Line]:
    """Return what a transfer is to an institution's statement: what it owes, or what it earns."""
    found = []
    for side, other, sign in (
        (transfer.debit, transfer.credit, -1),
        (transfer.credit, transfer.debit, 1),
    ):
        if side.institution != institution or side.kind not in OF_DOCUMENTS:
            continue
        is_owed = side.kind == AccountKind.CONSUMER
        kind = LineKind.CORRECTION_USED if is_owed else LineKind.CORRECTION_SERVED
        name = other.institution.name if other.institution else ""
        amount = (-sign if is_owed else sign) * transfer.amount_nano
        found.append(Line(kind, name, _model(request), _month(request), None, 0, 0, amount))
    return found


def _issue(
    statement: Statement,
    corrected: list[tuple[Line, Transfer]],
    by: Actor,
    reason: str,
    contest: Contest | None,
) -> Note:
    today = paris_today()
    number = next_number(today)  # from here on other documents wait
    month = corrected[0][1].booked_month
    sums = _noted(statement)
    lines: list[tuple[Line, Transfer | None]] = []
    for line, transfer in corrected:
        exact, cents = sums.get(line.kind, (0, 0))
        whole = rounded(exact + line.exact_nano) - cents
        sums[line.kind] = (exact + line.exact_nano, cents + whole)
        lines.append((CorrectionLine(**vars(line), whole=whole), transfer))
    used = _sum_of(lines, LineKind.CORRECTION_USED)
    served = _sum_of(lines, LineKind.CORRECTION_SERVED)
    back = _given_back(statement, used[1])
    note = Note.objects.create(
        kind=DocumentKind.CREDIT_NOTE,
        number=number,
        institution=statement.institution,
        statement=statement,
        contest=contest,
        booked_month=month,
        issued_on=today,
        reason=reason.strip(),
        used_cents=used[1],
        served_cents=served[1],
        granted_cents=-back,
        net_cents=served[1] - used[1] - back,
        lines_hash=hash_of(
            statement.institution, -back, tuple(line for line, _ in lines), statement.lines_hash
        ),
        made_by=person(by),
    )
    keep_lines(note, lines)
    for kind, nano in (
        (AccountKind.CONSUMER, used[0] - used[1] * NANO_PER_CENT),
        (AccountKind.HOST, served[1] * NANO_PER_CENT - served[0]),
    ):
        settle(statement.institution, kind, nano, key=number, month=month)
    give_back(statement.institution, back, key=number, month=month)
    return note


def give_back(institution: Institution, cents: int, *, key: str, month: date) -> None:
    """Return to an institution's grants what they had paid and is not owed any more."""
    if cents:
        book(
            Transfer(
                key=f"grant_back:{key}",
                debit=account(AccountKind.CONSUMER, institution),
                credit=account(AccountKind.ALLOCATION, institution),
                amount_nano=cents * NANO_PER_CENT,
                booked_month=month,
                reason=TransferReason.GRANT_BACK,
            )
        )


def _noted(statement: Statement) -> dict[str, tuple[int, int]]:
    """Return what earlier credit notes on a statement correct, by kind: nano-euros, and the cents that they made."""
    rows = NoteLine.objects.filter(note__statement=statement).order_by().values("kind")
    sums = rows.annotate(exact=Sum("exact_nano"), whole=Sum("cents"))
    return {row["kind"]: (row["exact"], row["whole"]) for row in sums}


def _given_back(statement: Statement, used_cents: int) -> int:
    """Return what goes back to the grants: first an institution gets back what it paid itself."""
    before = Note.objects.filter(statement=statement).aggregate(
        used=Sum("used_cents", default=0), granted=Sum("granted_cents", default=0)
    )
    paid_by_grants: int = statement.granted_cents + before["granted"]
    owed: int = statement.used_cents + before["used"] + used_cents
    return max(0, paid_by_grants - max(0, owed))


def _sum_of(lines: Sequence[tuple[Line, Transfer | None]], kind: LineKind) -> tuple[int, int]:
    of_kind = [line for line, _transfer in lines if line.kind is kind]
    return sum(line.exact_nano for line in of_kind), sum(line.cents for line in of_kind)


def _model(request: UsageRecord | None) -> str:
    if request is None:
        return ""
    found = AIModel.objects.filter(pk=request.model_id).values_list("slug", flat=True).first()
    return found or str(request.model_id)


def _month(request: UsageRecord | None) -> date | None:
    return request.booked_month if request else None
