"""Writes about months: a draft for everybody to read, then the close, after which nothing of it changes."""

import hashlib
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing import mails
from billing.enums import OWED_LINES, PERIOD_TRANSITIONS, AccountKind, PeriodState, TransferReason
from billing.ledger.balances import is_charged
from billing.ledger.books import hold_the_books
from billing.models import AccountingPeriod, AccountMonth, Statement, StatementLine, Transfer
from billing.operations.entries import account, book, person, settle
from billing.operations.notes import next_number
from billing.periods import paris_today
from billing.policies import check_keep_accounts
from billing.statements.statement import NANO_PER_CENT, Draft, drafts
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.transitions import check_transition


@transaction.atomic
def draft_month(*, by: Actor, month: date) -> AccountingPeriod:
    """Put a month that is over into draft: late requests still count in it. Twice changes nothing."""
    check_keep_accounts(by)
    period = _locked(month)
    if period.state == PeriodState.GRACE:
        return period
    _check_over(month)
    check_transition(PERIOD_TRANSITIONS, PeriodState(period.state), PeriodState.GRACE)
    period.state, period.drafted_at = PeriodState.GRACE, timezone.now()
    period.save()
    record(by=by, verb="billing.draft_month", obj=period)
    return period


@transaction.atomic
def close_month(*, by: Actor, month: date) -> AccountingPeriod:
    """Keep everybody's statement of a month in draft, for good; twice changes nothing.

    Batches of requests wait meanwhile; what comes later is booked in the next month. Raises `ValidationError` when it
    is not in draft, when an earlier month is not closed, or when its charges are not its requests.
    """
    check_keep_accounts(by)
    hold_the_books()
    period = _locked(month)
    if period.state == PeriodState.CLOSED:
        return period
    check_transition(PERIOD_TRANSITIONS, PeriodState(period.state), PeriodState.CLOSED)
    _check_in_order(month)
    _check_charges(month)
    hashes = [_keep(period, draft) for draft in drafts(month)]
    period.state, period.closed_at = PeriodState.CLOSED, timezone.now()
    period.closed_by = person(by)
    period.statements_hash = hashlib.sha256("".join(hashes).encode()).hexdigest()
    period.save()
    record(
        by=by,
        verb="billing.close_month",
        obj=period,
        diff={"statements": len(hashes), "hash": period.statements_hash},
    )
    mails.tell_of_closing(period)
    return period


def _locked(month: date) -> AccountingPeriod:
    """Return the month's row, made when it is the first word about it. Raises `ValidationError` on no month."""
    if month.day != 1:
        raise ValidationError(
            _("A month of the accounts begins on its first day."), code="no_month"
        )
    AccountingPeriod.objects.get_or_create(month=month)
    return AccountingPeriod.objects.select_for_update().get(month=month)


def _check_over(month: date) -> None:
    if month >= paris_today().replace(day=1):
        raise ValidationError(
            _("%(month)s is not over yet.") % {"month": date_format(month, "F Y")}, code="not_over"
        )


def _check_in_order(month: date) -> None:
    booked = AccountMonth.objects.filter(month__lt=month).order_by("month")
    closed = AccountingPeriod.objects.filter(state=PeriodState.CLOSED)
    left = booked.exclude(month__in=closed.values("month")).first()
    if left is not None:
        raise ValidationError(
            _("Close %(month)s first: months are closed in their order.")
            % {"month": date_format(left.month, "F Y")},
            code="earlier_month",
        )


def _check_charges(month: date) -> None:
    """Statements are made from charges, and stay: they are compared with the requests before."""
    if not is_charged(month):
        raise ValidationError(
            _(
                "The charges of %(month)s are not the sum of its requests: it cannot be closed. The command"
                " check_usage tells what differs."
            )
            % {"month": date_format(month, "F Y")},
            code="not_charged",
        )


def _keep(period: AccountingPeriod, draft: Draft) -> str:
    """Write a statement with its lines, and move what rounding and grants make of it; return its hash."""
    statement = Statement.objects.create(
        period=period,
        institution=draft.institution,
        used_cents=draft.used_cents,
        served_cents=draft.served_cents,
        granted_cents=draft.granted_cents,
        net_cents=draft.net_cents,
        lines_hash=draft.lines_hash,
        number=next_number(paris_today()),
    )
    StatementLine.objects.bulk_create(
        StatementLine(
            statement=statement,
            position=position,
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
        for position, line in enumerate(draft.lines, start=1)
    )
    owed = sum(line.exact_nano for line in draft.lines if line.kind in OWED_LINES)
    earned = sum(line.exact_nano for line in draft.lines if line.kind not in OWED_LINES)
    for kind, nano in (
        (AccountKind.CONSUMER, owed - draft.used_cents * NANO_PER_CENT),
        (AccountKind.HOST, draft.served_cents * NANO_PER_CENT - earned),
    ):
        settle(draft.institution, kind, nano, key=str(period), month=period.month)
    if draft.granted_cents:
        book(
            Transfer(
                key=f"grant_used:{period}:{draft.institution.pk}",
                debit=account(AccountKind.ALLOCATION, draft.institution),
                credit=account(AccountKind.CONSUMER, draft.institution),
                amount_nano=draft.granted_cents * NANO_PER_CENT,
                booked_month=period.month,
                reason=TransferReason.GRANT_USED,
            )
        )
    return statement.lines_hash
