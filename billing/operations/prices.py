"""Writes about prices and fees: new versions with a beginning ahead, and their withdrawal before it."""

from datetime import datetime, timedelta
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.enums import PriceKind
from billing.ledger.books import hold_the_books
from billing.models import UNITS, FeeVersion, PriceVersion, UsageCharge
from billing.policies import check_keep_accounts
from federation.catalogue.models import AIModel
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.people.models import User

SOONEST = timedelta(minutes=1)
"""Requests that end meanwhile are stored at the old price before the new one begins."""
LATEST = timedelta(days=731)


class Units(TypedDict, total=False):
    """Nano-euros a unit; what is left out is not sold."""

    prompt_nano: int | None
    cached_nano: int | None
    completion_nano: int | None
    embedding_nano: int | None
    audio_second_nano: int | None
    image_nano: int | None


@transaction.atomic
def set_price(
    *,
    by: Actor,
    model: AIModel,
    units: Units,
    valid_from: datetime | None = None,
    kind: PriceKind = PriceKind.PROVISIONAL,
    note: str = "",
) -> PriceVersion:
    """Announce what a model costs from `valid_from` on, None for as soon as can be.

    Raises `ValidationError` on a moment that is past, a price that cannot be, and one that changes nothing.
    """
    check_keep_accounts(by)
    locked = AIModel.objects.select_for_update(no_key=True).get(pk=model.pk)
    price = PriceVersion(
        model=locked,
        valid_from=_beginning(valid_from),
        kind=kind,
        note=note.strip(),
        set_by=by if isinstance(by, User) else None,
        **units,
    )
    before = locked.prices.filter(valid_from__lt=price.valid_from).first()
    if all(getattr(price, unit) is None for unit in UNITS):
        raise ValidationError(_("Give at least one unit a price; 0 is one."), code="no_price")
    if before and all(getattr(before, name) == getattr(price, name) for name in (*UNITS, "kind")):
        raise ValidationError(_("These are the prices already."), code="no_change")
    if locked.prices.filter(valid_from=price.valid_from).exists():
        raise _announced()
    price.full_clean()
    price.save(force_insert=True)
    record(
        by=by,
        verb="billing.set_price",
        obj=price,
        diff={
            "model": locked.pk,
            "valid_from": price.valid_from,
            "kind": price.kind,
            **{unit: [getattr(before, unit, None), getattr(price, unit)] for unit in UNITS},
        },
    )
    return price


@transaction.atomic
def withdraw_price(*, by: Actor, price: PriceVersion) -> None:
    """Take back a version that has not begun. Raises `ValidationError` when it has, or when it was charged by."""
    check_keep_accounts(by)
    hold_the_books()
    _check_ahead(price.valid_from)
    if UsageCharge.objects.filter(price_id=price.pk).exists():
        raise ValidationError(
            _("Requests were charged by it, by a clock that was ahead: it stays. Set another one."),
            code="charged",
        )
    record(by=by, verb="billing.withdraw_price", obj=price, diff={"model": price.model_id})
    price.delete()


@transaction.atomic
def set_fee(
    *,
    by: Actor,
    basis_points: int,
    institution: Institution | None = None,
    valid_from: datetime | None = None,
    note: str = "",
) -> FeeVersion:
    """Announce what part of what an institution uses the federation keeps; without one, for all that have no own."""
    check_keep_accounts(by)
    fee = FeeVersion(
        institution=institution,
        basis_points=basis_points,
        valid_from=_beginning(valid_from),
        note=note.strip(),
        set_by=by if isinstance(by, User) else None,
    )
    if FeeVersion.objects.filter(institution=institution, valid_from=fee.valid_from).exists():
        raise _announced()
    fee.full_clean()
    fee.save(force_insert=True)
    record(
        by=by,
        verb="billing.set_fee",
        obj=fee,
        institution=institution,
        diff={"basis_points": basis_points, "valid_from": fee.valid_from},
    )
    return fee


@transaction.atomic
def withdraw_fee(*, by: Actor, fee: FeeVersion) -> None:
    """Take back a version that has not begun. Raises `ValidationError` when it has: requests may be charged by it."""
    check_keep_accounts(by)
    hold_the_books()
    _check_ahead(fee.valid_from)
    record(by=by, verb="billing.withdraw_fee", obj=fee, institution=fee.institution)
    fee.delete()


def _announced() -> ValidationError:
    return ValidationError(
        _(
            "Another one is announced from that moment on: take it back first, or begin at another day."
        ),
        code="announced",
    )


def _beginning(asked: datetime | None) -> datetime:
    now = timezone.now()
    if asked is None:
        return now + SOONEST
    if asked < now + SOONEST:
        raise ValidationError(
            _("What is past stays as it was charged: let it begin in a minute or later."),
            code="past",
        )
    if asked > now + LATEST:
        raise ValidationError(_("Let it begin within two years."), code="too_late")
    return asked


def _check_ahead(valid_from: datetime) -> None:
    if valid_from <= timezone.now():
        raise ValidationError(
            _("It is in force, or was: requests may have been charged by it. Set another one."),
            code="has_begun",
        )
