"""Writes about what an institution says to its statement, and what the federation's finance answers."""

from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import mails
from billing.enums import (
    CONTEST_TRANSITIONS,
    OWED_LINES,
    AccountKind,
    ContestState,
    LineKind,
    PeriodState,
    TransferReason,
)
from billing.ledger.books import hold_the_books, share_the_books
from billing.models import (
    Acceptance,
    AccountingPeriod,
    Contest,
    Statement,
    Transfer,
    UsageRecord,
)
from billing.operations.entries import (
    account,
    book,
    check_year_is_open,
    person,
)
from billing.operations.ledger import LARGEST_GRANT_NANO, reverse, reverse_request
from billing.operations.notes import credit, month_for_correction
from billing.operations.returned import key_of, left_of
from billing.policies import check_keep_accounts, check_speak_for
from billing.statements.standing import standing_of
from billing.statements.statement import Draft, Line, draft_of, keys_of, statement_of
from billing.templatetags.money import euros
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.members.policies import check_reason
from federation.transitions import check_transition


@dataclass(frozen=True)
class Remedy:
    """How a contested line is put right: one of a request, a transfer, or an amount in nano-euros.

    `other` bears the amount; None is the federation, out of its fees.
    """

    request: UsageRecord | None = None
    transfer: Transfer | None = None
    amount_nano: int = 0
    other: Institution | None = None


@transaction.atomic
def contest_line(
    *, by: Actor, institution: Institution, month: date, line_key: str, reason: str
) -> Contest:
    """Say that a line of a statement is wrong, and why; the federation's finance is told.

    Raises `ValidationError` when the month is open, the statement is accepted, the line is not in it, or is contested
    already.
    """
    check_speak_for(by, institution)
    check_reason(reason)
    period, draft = _held(institution, month)
    if not standing_of(period, draft).may_be_answered:
        raise ValidationError(
            _("This statement is not in draft yet, or it is accepted already."), code="not_now"
        )
    found = dict(zip(keys_of(draft.lines), draft.lines, strict=True)).get(line_key)
    if found is None:
        raise ValidationError(
            _("This line is not in the statement any more: read it again."), code="no_line"
        )
    contest, is_new = Contest.objects.get_or_create(
        institution=institution,
        month=month,
        line_key=line_key,
        state=ContestState.OPEN,
        defaults={**_columns(found), "reason": reason.strip(), "made_by": person(by)},
    )
    if not is_new:
        raise ValidationError(
            _("This line is contested already: it waits for its answer."), code="contested"
        )
    record(by=by, verb="billing.contest", obj=contest, institution=institution)
    mails.tell_of_contest(contest)
    return contest


@transaction.atomic
def withdraw_contest(*, by: Actor, contest: Contest) -> Contest:
    check_speak_for(by, contest.institution)
    locked = _answered(contest, ContestState.WITHDRAWN, by, "")
    record(by=by, verb="billing.withdraw_contest", obj=locked, institution=locked.institution)
    return locked


@transaction.atomic
def reject_contest(*, by: Actor, contest: Contest, answer: str) -> Contest:
    """Answer that the line is right, and why."""
    check_keep_accounts(by)
    check_reason(answer)
    locked = _answered(contest, ContestState.REJECTED, by, answer)
    record(by=by, verb="billing.reject_contest", obj=locked, institution=locked.institution)
    mails.tell_of_contest_answer(locked)
    return locked


@transaction.atomic
def uphold_contest(*, by: Actor, contest: Contest, answer: str, remedy: Remedy) -> Contest:
    """Put a line right: in its month while that is not closed, else by credit notes in the first open one.

    Raises `ValidationError` when the remedy is not of this statement, or cannot be done.
    """
    check_keep_accounts(by)
    check_reason(answer)
    locked = _answered(contest, ContestState.UPHELD, by, answer)
    if remedy.request is not None:
        _check_concerns(locked, remedy.request)
        reverse_request(by=by, request=remedy.request, reason=answer, contest=locked)
    elif remedy.transfer is not None:
        _check_moves(locked, remedy.transfer)
        reverse(by=by, transfer=remedy.transfer, reason=answer, contest=locked)
    else:
        _correct(locked, remedy, by, answer)
    record(by=by, verb="billing.uphold_contest", obj=locked, institution=locked.institution)
    mails.tell_of_contest_answer(locked)
    return locked


@transaction.atomic
def accept_statement(
    *, by: Actor, institution: Institution, month: date, lines_hash: str
) -> Acceptance:
    """Accept a statement as it was read: `lines_hash` is that one's. Twice changes nothing.

    Raises `ValidationError` when it reads differently now, is open, or has a contested line.
    """
    check_speak_for(by, institution)
    period, draft = _held(institution, month)
    standing = standing_of(period, draft)
    if standing.acceptance is not None:
        return standing.acceptance
    if draft.lines_hash != lines_hash:
        raise ValidationError(
            _("The statement has changed meanwhile: read it again."), code="changed"
        )
    if standing.open_contests:
        raise ValidationError(
            _("A line of it is contested: wait for the answer."), code="contested"
        )
    if not standing.may_be_answered:
        raise ValidationError(
            _("This statement is not in draft yet, or it is accepted already."), code="not_now"
        )
    acceptance, is_new = Acceptance.objects.get_or_create(
        institution=institution,
        month=month,
        lines_hash=lines_hash,
        defaults={"accepted_by": person(by)},
    )
    if is_new:
        record(
            by=by,
            verb="billing.accept_statement",
            obj=acceptance,
            institution=institution,
            diff={"month": f"{month:%Y-%m}", "hash": lines_hash},
        )
    return acceptance


def _held(institution: Institution, month: date) -> tuple[AccountingPeriod, Draft]:
    """Return the month and the statement as they stand; until the transaction ends, none is closed.

    Of one month one answers after the other: what is accepted is contested no more.
    """
    share_the_books()
    check_year_is_open(month)
    known = AccountingPeriod.objects.select_for_update(no_key=True).filter(month=month).first()
    return known or AccountingPeriod(month=month), statement_of(institution, month)


def _columns(line: Line) -> dict[str, object]:
    return {
        "kind": line.kind,
        "other_name": line.other_name,
        "model_name": line.model_name,
        "origin_month": line.origin_month,
        "unit": line.unit or "",
        "quantity": line.quantity,
        "unit_nano": line.unit_nano,
        "exact_nano": line.exact_nano,
        "cents": line.cents,
    }


def _answered(contest: Contest, state: ContestState, by: Actor, answer: str) -> Contest:
    locked = (
        Contest.objects.select_for_update(of=("self",))
        .select_related("institution", "made_by")
        .get(pk=contest.pk)
    )
    check_transition(CONTEST_TRANSITIONS, ContestState(locked.state), state)
    locked.state, locked.answer = state, answer.strip()
    locked.answered_at, locked.answered_by = timezone.now(), person(by)
    locked.save()
    return locked


def _check_concerns(contest: Contest, request: UsageRecord) -> None:
    sides = (request.asking_institution_id, request.serving_institution_id)
    if contest.institution_id not in sides or request.booked_month != contest.month:
        raise ValidationError(
            _("This request is not one of this statement."), code="another_statement"
        )
    if Transfer.objects.filter(key=f"reversal:{TransferReason.USAGE}:{request.pk}").exists():
        raise ValidationError(_("What it cost is taken back already."), code="reversed")


def _check_moves(contest: Contest, transfer: Transfer) -> None:
    sides = (transfer.debit, transfer.credit)
    own = [side for side in sides if side.institution_id == contest.institution_id]
    if not own or transfer.booked_month != contest.month:
        raise ValidationError(
            _("This transfer is not one of this statement."), code="another_statement"
        )
    if Transfer.objects.filter(reverses=transfer).exists():
        raise ValidationError(_("It is taken back already."), code="reversed")


def _correct(contest: Contest, remedy: Remedy, by: Actor, answer: str) -> None:
    """Move an amount in favour of the institution that contests, from who has it or to who owes it."""
    hold_the_books()  # until here somebody may have taken back what the line is about
    most = _most(contest)
    if not 0 < remedy.amount_nano <= most:
        raise ValidationError(
            _(
                "The amount is more than nothing, and at most what the line says: %(left)s of it is left."
            )
            % {"left": euros(most)},
            code="amount",
        )
    if remedy.other == contest.institution:
        raise ValidationError(_("Another institution bears it, or the federation."), code="itself")
    is_owed = LineKind(contest.kind) in OWED_LINES
    own = account(AccountKind.CONSUMER if is_owed else AccountKind.HOST, contest.institution)
    if remedy.other is None:
        source = account(AccountKind.FEE)
    else:
        _check_has_statement(remedy.other, contest.month)
        source = account(AccountKind.HOST if is_owed else AccountKind.CONSUMER, remedy.other)
    transfer = Transfer(
        key=key_of(contest.pk),
        debit=source,
        credit=own,
        amount_nano=remedy.amount_nano,
        reason=TransferReason.CORRECTION,
        note=answer.strip(),
        made_by=person(by),
    )
    transfer.booked_month = month_for_correction(contest.month, transfer)
    credit(by=by, month=contest.month, transfers=[book(transfer)], reason=answer, contest=contest)


def _most(contest: Contest) -> int:
    """Return how much may be corrected: what was earned by any amount, what was owed by what is left of the line."""
    if LineKind(contest.kind) not in OWED_LINES and contest.exact_nano >= 0:
        return LARGEST_GRANT_NANO
    left = left_of(contest.institution, contest.month, [contest.line_key])
    if contest.line_key not in left:
        raise ValidationError(
            _(
                "This line is not in the statement any more, so no amount of it can be corrected: take the request"
                " or the transfer back that it was about, or reject it and say so."
            ),
            code="no_line",
        )
    return left[contest.line_key]


def _check_has_statement(other: Institution, month: date) -> None:
    """Its own statement shows the other side of the correction."""
    period = AccountingPeriod.objects.filter(month=month, state=PeriodState.CLOSED).first()
    if period is not None:
        has = Statement.objects.filter(period=period, institution=other).exists()
    else:
        has = bool(draft_of(other, month).lines)
    if not has:
        raise ValidationError(
            _("%(institution)s has no statement of this month.") % {"institution": other.name},
            code="no_statement",
        )
