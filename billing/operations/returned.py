"""How much of what a statement's lines say has come back, whoever gave it and how: never more than the line.

It comes back by amounts that contests moved, and by requests and transfers that were taken back.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from fractions import Fraction
from math import ceil
from typing import NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from billing.enums import OWED_LINES, AccountKind, ContestState, LineKind, TransferReason
from billing.ledger import posting
from billing.models import Contest, PriceVersion, Transfer, UsageCharge, UsageRecord
from billing.periods import ids_of_months
from billing.statements.statement import Line, charged_lines, keys_of, statement_of, unit_costs
from federation.members.models import Institution


class _Taken(NamedTuple):
    """What of an institution's requests was taken back: by part of their cost what it used, and what it served."""

    used: Mapping[TransferReason, Mapping[tuple[object, ...], UsageCharge]]
    served: list[UsageCharge]


def key_of(contest_id: UUID) -> str:
    """Return the key of the transfer that corrects a line by an amount."""
    return f"contest:{contest_id}"


def left_of(institution: Institution, month: date, keys: Collection[str]) -> dict[str, int]:
    """Return by key how much of these lines can still come back; of lines that are no more, nothing is told."""
    lines = statement_of(institution, month).lines
    known = dict(zip(keys_of(lines), lines, strict=True))
    used = [charge for charge, _line in charged_lines(institution, month)]
    charges = dict(zip(known, used, strict=False))  # a statement begins with them
    moved = _moved(institution, month)
    taken = _taken_back(institution, month)
    return {
        key: abs(known[key].exact_nano) - moved[key] - _part(known[key], taken, charges.get(key))
        for key in keys
        if key in known
    }


def check_lines_hold(month: date, reversals: Iterable[Transfer]) -> None:
    """Raise `ValidationError` when, with these, more has come back of a line than it says.

    A request is taken back once: only where a contest has moved an amount it can be too much.
    """
    sides = {side.institution for each in reversals for side in (each.debit, each.credit)}
    for institution in sides - {None}:
        assert institution is not None
        corrected = _moved(institution, month)
        if corrected and min(left_of(institution, month, corrected.keys()).values(), default=0) < 0:
            raise ValidationError(
                _(
                    "An answer to a contested line has given an amount back already: with this, it would be more"
                    " than the line says. Take that correction back first."
                ),
                code="more_than_the_line",
            )


def _moved(institution: Institution, month: date) -> Counter[str]:
    """Return by line what contests have moved back of what was owed, unless that is reversed."""
    upheld = Contest.objects.filter(
        Q(kind__in=OWED_LINES) | Q(exact_nano__lt=0),
        institution=institution,
        month=month,
        state=ContestState.UPHELD,
    )
    lines = {key_of(pk): line_key for pk, line_key in upheld.values_list("pk", "line_key")}
    found: Counter[str] = Counter()
    rows = Transfer.objects.filter(key__in=lines, reversal=None)
    for key, nano in rows.values_list("key", "amount_nano"):
        found[lines[key]] += nano
    return found


def _part(line: Line, taken: _Taken, charge: UsageCharge | None) -> int:
    """Return what came back of a line by requests and transfers that were taken back."""
    if line.kind is LineKind.FEE:
        return sum(each.fee_nano for each in taken.served)
    if charge is None:  # a correction
        return 0
    found = Fraction(0)
    for reason, charges in taken.used.items():
        if part := charges.get(_alike(charge)):
            assert part.price_id is not None  # it cost something
            cost = part.cost_nano
            if price := PriceVersion.objects.filter(pk=part.price_id).first():
                cost = sum(each[-1] for each in unit_costs(part, price) if each[0] is line.unit)
            fee = part.fee_nano
            back = fee if reason is TransferReason.FEE else part.cost_nano - fee
            found += Fraction(cost * back, part.cost_nano)
    return ceil(found)


def _taken_back(institution: Institution, month: date) -> _Taken:
    """Return them; a transfer of what was used pays all but the fee of its requests, that of the fee the fee."""
    asked = {"credit": f"{AccountKind.CONSUMER.value}:{institution.pk}"}
    served = {"debit": f"{AccountKind.HOST.value}:{institution.pk}"}
    side = "asking_institution_id"
    used = {
        reason: {_alike(each): each for each in _charges(reason, institution, month, side, asked)}
        for reason in (TransferReason.USAGE, TransferReason.FEE)
    }
    side = "serving_institution_id"
    return _Taken(used, _charges(TransferReason.USAGE, institution, month, side, served))


def _charges(
    reason: TransferReason,
    institution: Institution,
    month: date,
    side: str,
    account: dict[str, str],
) -> list[UsageCharge]:
    """Return the requests of which this part of the cost was taken back, summed as charges are."""
    reversals = Transfer.objects.filter(reason=TransferReason.REVERSAL, **account)
    begin = f"reversal:{reason.value}:"
    keys = reversals.filter(key__startswith=begin).values_list("key", flat=True)
    whole = reversals.filter(reverses__reason=reason).values_list("reverses__posting_id", flat=True)
    requests, postings = [key.removeprefix(begin) for key in keys], list(whole)
    if not requests and not postings:
        return []
    charges = UsageCharge.objects.filter(booked_month=month, **{side: institution.pk})
    low, high = ids_of_months([month, *charges.values_list("origin_month", flat=True)])
    records, values = (
        UsageRecord.objects.filter(
            Q(pk__in=requests) | Q(posting_id__in=postings), id__gte=low, id__lt=high
        )
        .filter(booked_month=month, cost_nano__gt=0, **{side: institution.pk})
        .query.sql_with_params()
    )
    return list(UsageCharge.objects.raw(posting.as_charges(f"({records})"), values))


def _alike(charge: UsageCharge) -> tuple[object, ...]:
    return (charge.origin_month, charge.serving_institution_id, charge.model_id, charge.price_id)
