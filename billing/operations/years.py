"""Writes about a year's exact costs: what they are, then each institution's adjustment, once and for good."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import mails
from billing.enums import AccountKind, DocumentKind, LineKind, TransferReason
from billing.ledger.books import hold_the_books
from billing.models import CostPool, Note, Transfer, YearShare
from billing.operations.entries import account, book, first_open_month, person
from billing.operations.notes import give_back, keep_lines, next_number
from billing.periods import paris_today
from billing.policies import check_keep_accounts
from billing.statements.document import hash_of
from billing.statements.statement import NANO_PER_CENT, CorrectionLine, Line, grants
from billing.statements.years import Settlement, Share, settlement_of, what_is_missing
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.policies import check_reason

LARGEST_POOL_CENTS = 100 * 100_000_000
"""A hundred million euros: a slip of the keyboard is larger."""


@transaction.atomic
def set_cost_pool(*, by: Actor, year: int, amount_cents: int, evidence: str) -> CostPool:
    """Enter what a year cost in all, or enter it anew; until it is posted.

    Raises `ValidationError` on a year that is not over, an amount that cannot be, or costs that are posted.
    """
    check_keep_accounts(by)
    check_reason(evidence)
    if year >= paris_today().year:
        raise ValidationError(_("%(year)s is not over yet.") % {"year": year}, code="not_over")
    if not 0 <= amount_cents <= LARGEST_POOL_CENTS:
        raise ValidationError(
            _("A year costs nothing or more, and at most a hundred million euros."), code="amount"
        )
    CostPool.objects.get_or_create(
        year=year, defaults={"amount_cents": amount_cents, "evidence": evidence.strip()}
    )
    pool = CostPool.objects.select_for_update().get(year=year)
    if pool.posted_at is not None:
        raise ValidationError(
            _("The costs of %(year)s are posted: nothing of them changes any more.")
            % {"year": year},
            code="posted",
        )
    pool.amount_cents, pool.evidence = amount_cents, evidence.strip()
    pool.entered_by = person(by)
    pool.save()
    record(
        by=by,
        verb="billing.set_cost_pool",
        obj=pool,
        diff={"year": year, "amount_cents": amount_cents},
    )
    return pool


@transaction.atomic
def post_true_up(*, by: Actor, pool: CostPool, seen_cents: int | None = None) -> CostPool:
    """Share a year's costs out, for good: a transfer and a document for each institution; twice changes nothing.

    `seen_cents` are the costs as whoever posts them has read them. Raises `ValidationError` when a month of the year is
    not closed, a contested line waits, nobody has used anything, or the costs have changed since they were read.
    """
    check_keep_accounts(by)
    hold_the_books()
    locked = CostPool.objects.select_for_update().get(pk=pool.pk)
    if locked.posted_at is not None:
        return locked
    if seen_cents is not None and seen_cents != locked.amount_cents:
        raise ValidationError(_("The costs have changed meanwhile: read them again."), code="seen")
    _check_ready(locked.year)
    settlement = _settled(locked)
    left = grants()
    for share in settlement.shares:
        _post(locked, share, left.get(share.institution.pk, 0) // NANO_PER_CENT, by)
    locked.posted_at, locked.posted_by = timezone.now(), person(by)
    locked.save()
    record(
        by=by,
        verb="billing.post_true_up",
        obj=locked,
        diff={
            "year": locked.year,
            "amount_cents": locked.amount_cents,
            "institutions": len(settlement.shares),
        },
    )
    return locked


def _check_ready(year: int) -> None:
    months, waiting = what_is_missing(year)
    if months:
        raise ValidationError(
            _("Close these months first: %(months)s.") % {"months": ", ".join(months)},
            code="not_closed",
        )
    if waiting:
        raise ValidationError(
            _("Answer the contested lines of %(year)s first.") % {"year": year}, code="contested"
        )


def _settled(pool: CostPool) -> Settlement:
    try:
        return settlement_of(pool)
    except ValueError:
        raise ValidationError(
            _("Nobody owes anything for %(year)s: there is nothing to share its costs by.")
            % {"year": pool.year},
            code="nothing_used",
        ) from None


def _post(pool: CostPool, share: Share, grants_left: int, by: Actor) -> None:
    billed = share.billed
    YearShare.objects.create(
        pool=pool,
        institution=share.institution,
        used_nano=billed.used_nano,
        billed_cents=billed.billed_cents,
        final_cents=share.final_cents,
        served_nano=billed.served_nano,
        paid_cents=billed.paid_cents,
        earned_cents=share.earned_cents,
    )
    moved = [
        (line, _move(pool, share, line))
        for line in (
            _line(LineKind.YEAR_USED, share.owes_cents),
            _line(LineKind.YEAR_SERVED, share.earns_cents),
        )
        if line.cents
    ]
    if not moved:
        return
    today, month = paris_today(), first_open_month()
    granted = _granted(share, grants_left)
    lines = tuple(line for line, _transfer in moved)
    note = Note.objects.create(
        kind=DocumentKind.TRUE_UP,
        number=next_number(today),
        institution=share.institution,
        pool=pool,
        booked_month=month,
        issued_on=today,
        reason=f"{pool.year}",
        used_cents=share.owes_cents,
        served_cents=share.earns_cents,
        granted_cents=granted,
        net_cents=share.earns_cents - share.owes_cents + granted,
        lines_hash=hash_of(share.institution, granted, lines, f"{pool.year}"),
        made_by=person(by),
    )
    keep_lines(note, moved)
    _use_grants(note)
    mails.tell_of_note(note)


def _line(kind: LineKind, cents: int) -> Line:
    return CorrectionLine(kind, "", "", None, None, 0, 0, cents * NANO_PER_CENT, cents)


def _move(pool: CostPool, share: Share, line: Line) -> Transfer:
    """Move an adjustment between the institution and the federation's fees, whose own part is what remains there."""
    is_owed = line.kind is LineKind.YEAR_USED
    own = account(AccountKind.CONSUMER if is_owed else AccountKind.HOST, share.institution)
    fee = account(AccountKind.FEE)
    pays = is_owed == (line.exact_nano > 0)
    return book(
        Transfer(
            key=f"true_up:{pool.year}:{line.kind.value}:{share.institution.pk}",
            debit=own if pays else fee,
            credit=fee if pays else own,
            amount_nano=abs(line.exact_nano),
            booked_month=first_open_month(),
            reason=TransferReason.TRUE_UP,
            note=f"{pool.year}",
        )
    )


def _granted(share: Share, grants_left: int) -> int:
    """Return what grants pay of what is owed in addition; below nothing, what goes back to them."""
    if share.owes_cents > 0:
        return max(0, min(share.owes_cents, grants_left))
    return min(0, max(0, share.final_cents) - share.billed.granted_cents)


def _use_grants(note: Note) -> None:
    if note.granted_cents > 0:
        book(
            Transfer(
                key=f"grant_used:{note.number}",
                debit=account(AccountKind.ALLOCATION, note.institution),
                credit=account(AccountKind.CONSUMER, note.institution),
                amount_nano=note.granted_cents * NANO_PER_CENT,
                booked_month=note.booked_month,
                reason=TransferReason.GRANT_USED,
            )
        )
    else:
        give_back(note.institution, -note.granted_cents, key=note.number, month=note.booked_month)
