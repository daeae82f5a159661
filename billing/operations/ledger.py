"""Writes to the ledger beyond what requests cost: grants, and reversals of what was wrong."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from billing import posting
from billing.enums import AccountKind, PeriodState, TransferReason
from billing.models import Account, AccountingPeriod, Transfer, UsageRecord
from billing.periods import following, paris_today
from billing.policies import check_keep_accounts
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.members.policies import check_reason
from federation.people.models import User
from routing.core.ids import uuid7

LARGEST_GRANT_NANO = 10**9 * 10_000_000
"""Ten million euros: a slip of the keyboard is larger."""


def account(kind: AccountKind, institution: Institution | None = None) -> Account:
    """Return the account, made when nothing was ever transferred to or from it."""
    code = f"{kind.value}:{institution.pk}" if institution else kind.value
    found, _made = Account.objects.get_or_create(
        code=code, defaults={"kind": kind, "institution": institution}
    )
    return found


@transaction.atomic
def grant(*, by: Actor, institution: Institution, amount_nano: int, reason: str) -> Transfer:
    """Grant a contribution in kind, which is used up before anything is invoiced."""
    check_keep_accounts(by)
    check_reason(reason)
    if not 0 < amount_nano <= LARGEST_GRANT_NANO:
        raise ValidationError(
            _("A grant is more than nothing, and at most ten million euros."), code="amount"
        )
    transfer = Transfer.objects.create(
        key=f"grant:{uuid7()}",
        debit=account(AccountKind.RESERVE),
        credit=account(AccountKind.ALLOCATION, institution),
        amount_nano=amount_nano,
        booked_month=month_to_book(),
        reason=TransferReason.GRANT,
        note=reason.strip(),
        made_by=_person(by),
    )
    record(
        by=by,
        verb="billing.grant",
        obj=transfer,
        institution=institution,
        diff={"amount_nano": amount_nano},
    )
    return transfer


@transaction.atomic
def reverse(*, by: Actor, transfer: Transfer, reason: str) -> Transfer:
    """Take a transfer back by its contrary, booked in the month that is open; once, however often it is asked.

    Raises `ValidationError` on one that is a reversal itself.
    """
    check_keep_accounts(by)
    check_reason(reason)
    locked = Transfer.objects.select_for_update().get(pk=transfer.pk)
    if locked.reason == TransferReason.REVERSAL:
        raise ValidationError(_("A reversal is not reversed: transfer anew."), code="is_reversal")
    if known := Transfer.objects.filter(reverses=locked).first():
        return known
    reversal = Transfer.objects.create(
        key=f"reversal:{locked.pk}",
        debit_id=locked.credit_id,
        credit_id=locked.debit_id,
        amount_nano=locked.amount_nano,
        booked_month=month_to_book(),
        reason=TransferReason.REVERSAL,
        note=reason.strip(),
        reverses=locked,
        made_by=_person(by),
    )
    record(by=by, verb="billing.reverse", obj=reversal, diff={"amount_nano": locked.amount_nano})
    return reversal


@transaction.atomic
def reverse_request(*, by: Actor, request: UsageRecord, reason: str) -> list[Transfer]:
    """Take back what one request cost, and the fee on it: once, however often it is asked.

    Raises `ValidationError` when nothing was transferred for it, or when the transfers of its batch are reversed.
    """
    check_keep_accounts(by)
    check_reason(reason)
    paid = Transfer.objects.select_for_update(of=("self",)).filter(
        posting_id=request.posting_id, key__contains=_between(request)
    )
    of = {transfer.reason: transfer for transfer in paid} if request.posting_id else {}
    if not of:
        raise ValidationError(_("Nothing was transferred for this request."), code="not_charged")
    if Transfer.objects.filter(reverses__in=of.values()).exists():
        raise ValidationError(_("What it cost is taken back already."), code="reversed")
    parts = {
        TransferReason.USAGE: request.cost_nano - request.fee_nano,
        TransferReason.FEE: request.fee_nano,
    }
    month, made = month_to_book(), []
    for part, amount in parts.items():
        if amount:
            reversal, is_new = Transfer.objects.get_or_create(
                key=f"reversal:{part.value}:{request.pk}",
                defaults={
                    "debit_id": of[part].credit_id,
                    "credit_id": of[part].debit_id,
                    "amount_nano": amount,
                    "booked_month": month,
                    "reason": TransferReason.REVERSAL,
                    "note": reason.strip(),
                    "made_by": _person(by),
                },
            )
            made.append(reversal)
            if is_new:
                record(
                    by=by,
                    verb="billing.reverse",
                    obj=reversal,
                    diff={"request": request.pk, "amount_nano": amount},
                )
    return made


def month_to_book() -> date:
    """Return the month in which a transfer of this moment is booked; until the transaction ends, none is closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [posting.LOCK])
    this_month = paris_today().replace(day=1)
    closed = AccountingPeriod.objects.filter(state=PeriodState.CLOSED)
    last = closed.aggregate(last=Max("month"))["last"]
    return max(this_month, following(last)) if last else this_month


def _between(request: UsageRecord) -> str:
    """Return how the key of a posting's transfer ends that pays for this request (`billing.posting`)."""
    sides = (request.asking_institution_id, request.serving_institution_id, request.booked_month)
    return ":".join(str(side) for side in sides if side is not None)


def _person(by: Actor) -> User | None:
    return by if isinstance(by, User) else None
