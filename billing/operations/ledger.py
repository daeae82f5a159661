"""Writes to the ledger beyond what requests cost: grants, and reversals of what was wrong."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from billing.enums import NEVER_REVERSED, AccountKind, TransferReason
from billing.models import AccountMonth, Contest, Transfer, UsageRecord
from billing.operations.entries import account, book, month_to_book, person
from billing.operations.notes import credit, month_corrected, month_for_correction
from billing.operations.returned import check_lines_hold
from billing.policies import check_keep_accounts
from billing.templatetags.money import euros
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.members.policies import check_reason
from routing.core.ids import uuid7

LARGEST_GRANT_NANO = 10**9 * 10_000_000
"""Ten million euros: a slip of the keyboard is larger."""


@transaction.atomic
def grant(*, by: Actor, institution: Institution, amount_nano: int, reason: str) -> Transfer:
    """Grant a contribution in kind, which is used up before anything is invoiced."""
    check_keep_accounts(by)
    check_reason(reason)
    if not 0 < amount_nano <= LARGEST_GRANT_NANO:
        raise ValidationError(
            _("A grant is more than nothing, and at most ten million euros."), code="amount"
        )
    transfer = book(
        Transfer(
            key=f"grant:{uuid7()}",
            debit=account(AccountKind.RESERVE),
            credit=account(AccountKind.ALLOCATION, institution),
            amount_nano=amount_nano,
            booked_month=month_to_book(),
            reason=TransferReason.GRANT,
            note=reason.strip(),
            made_by=person(by),
        )
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
def reverse(
    *, by: Actor, transfer: Transfer, reason: str, contest: Contest | None = None
) -> Transfer:
    """Take a transfer back by its contrary; once, however often it is asked.

    It is booked in the transfer's own month while that is not closed. Of a closed one it is booked in the first that is
    open, and the institutions concerned get credit notes. Raises `ValidationError` on what is `NEVER_REVERSED`, when
    the year is settled, when a grant is used up, and when more of a contested line would come back than it says.
    """
    check_keep_accounts(by)
    check_reason(reason)
    locked = Transfer.objects.select_for_update().get(pk=transfer.pk)
    if locked.stays:
        reason_to_stay = NEVER_REVERSED[TransferReason(locked.reason)]
        raise ValidationError(reason_to_stay, code=f"is_{locked.reason}")
    if known := Transfer.objects.filter(reverses=locked).first():
        return known
    _check_whole(locked)
    corrected = month_corrected(locked)
    month = month_for_correction(corrected, locked)
    _check_unused(locked)
    reversal = book(
        Transfer(
            key=f"reversal:{locked.pk}",
            debit_id=locked.credit_id,
            credit_id=locked.debit_id,
            amount_nano=locked.amount_nano,
            booked_month=month,
            reason=TransferReason.REVERSAL,
            note=reason.strip(),
            reverses=locked,
            made_by=person(by),
        )
    )
    if locked.posting_id is not None:
        check_lines_hold(corrected, [reversal])
    credit(by=by, month=corrected, transfers=[reversal], reason=reason, contest=contest)
    record(by=by, verb="billing.reverse", obj=reversal, diff={"amount_nano": locked.amount_nano})
    return reversal


@transaction.atomic
def reverse_request(
    *, by: Actor, request: UsageRecord, reason: str, contest: Contest | None = None
) -> list[Transfer]:
    """Take back what one request cost, and the fee on it: once, however often it is asked; booked as by `reverse`.

    Raises `ValidationError` when nothing was transferred for it, when the transfers of its batch are reversed, and when
    more of a contested line would come back than it says.
    """
    check_keep_accounts(by)
    check_reason(reason)
    paid = Transfer.objects.select_for_update(of=("self",)).filter(key__in=_paid_by(request))
    of = {transfer.reason: transfer for transfer in paid.order_by("key")}
    if not of:
        raise ValidationError(_("Nothing was transferred for this request."), code="not_charged")
    if Transfer.objects.filter(reverses__in=of.values()).exists():
        raise ValidationError(_("What it cost is taken back already."), code="reversed")
    parts = {
        TransferReason.USAGE: request.cost_nano - request.fee_nano,
        TransferReason.FEE: request.fee_nano,
    }
    keys = {part: f"reversal:{part.value}:{request.pk}" for part in parts}
    if known := list(Transfer.objects.filter(key__in=keys.values()).order_by("-key")):
        return known
    corrected = next(iter(of.values())).booked_month
    month = month_for_correction(corrected, *of.values())
    made = [
        book(
            Transfer(
                key=keys[part],
                debit_id=of[part].credit_id,
                credit_id=of[part].debit_id,
                amount_nano=amount,
                booked_month=month,
                reason=TransferReason.REVERSAL,
                note=reason.strip(),
                made_by=person(by),
            )
        )
        for part, amount in parts.items()
        if amount
    ]
    check_lines_hold(corrected, made)
    credit(by=by, month=corrected, transfers=made, reason=reason, contest=contest, request=request)
    for reversal in made:
        record(
            by=by,
            verb="billing.reverse",
            obj=reversal,
            diff={"request": request.pk, "amount_nano": reversal.amount_nano},
        )
    return made


def _check_whole(transfer: Transfer) -> None:
    """Raise `ValidationError` when a request that the transfer paid for is taken back already by itself."""
    if transfer.posting_id is None:
        return
    begin = f"reversal:{transfer.reason}:"
    back = Transfer.objects.filter(debit=transfer.credit_id, credit=transfer.debit_id)
    keys = back.filter(key__startswith=begin).values_list("key", flat=True)
    requests = [key.removeprefix(begin) for key in keys]
    of_batch = UsageRecord.objects.filter(pk__in=requests, posting_id=transfer.posting_id)
    if any(transfer.key in _paid_by(each) for each in of_batch):
        raise ValidationError(
            _("A request that it paid for is taken back already: take back the others one by one."),
            code="reversed",
        )


def _check_unused(transfer: Transfer) -> None:
    """Raise `ValidationError` when it is a grant of which statements have used something. Who asks holds the books.

    All that an institution is granted is one amount, and goes over to whom it becomes a part of.
    """
    institution = transfer.credit.institution
    if transfer.reason != TransferReason.GRANT or institution is None:
        return
    holders = [institution]
    while (heir := holders[-1].successor) is not None:
        holders.append(heir)
    granted = AccountMonth.objects.filter(
        account__kind=AccountKind.ALLOCATION, account__institution__in=holders
    )
    left = max(0, sum(granted.balances().values()))
    if left < transfer.amount_nano:
        raise ValidationError(
            _("Of this grant %(used)s is used up already: it cannot be taken back.")
            % {"used": euros(transfer.amount_nano - left)},
            code="used_up",
        )


def _paid_by(request: UsageRecord) -> list[str]:
    """Return the keys of the transfers that pay for this request, if any do (`billing.ledger.posting`)."""
    sides = (request.asking_institution_id, request.serving_institution_id, request.booked_month)
    of = ":".join(str(each) for each in (request.posting_id, *sides) if each is not None)
    return [f"{part.value}:{of}" for part in (TransferReason.USAGE, TransferReason.FEE)]
