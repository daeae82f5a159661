"""What pages read of prices: of each model the version in force and the next one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from billing.models import SINGLE, FeeVersion, PriceVersion
from federation.catalogue.models import AIModel
from federation.people.models import User
from routing.core.enums import LifecycleStage

OFFERED = (LifecycleStage.STAGING, LifecycleStage.PRODUCTION, LifecycleStage.DEPRECATED)


class Priced(NamedTuple):
    """A model with its price now, if any, and the next one that is announced."""

    model: AIModel
    price: PriceVersion | None
    next: PriceVersion | None


def price_list(user: User) -> list[Priced]:
    """Return the models that are offered, in the order of their names. Three queries."""
    now = timezone.now()
    models = AIModel.objects.for_user(user).filter(stage__in=OFFERED).order_by("slug")
    seen = PriceVersion.objects.for_user(user)
    present = {price.model_id: price for price in seen.at(now)}
    ahead: dict[UUID, PriceVersion] = {}
    for price in seen.ahead():
        ahead.setdefault(price.model_id, price)
    return [Priced(model, present.get(model.pk), ahead.get(model.pk)) for model in models]


def singles_sold(prices: Iterable[PriceVersion | None]) -> list[str]:
    """Return what is sold singly (`SINGLE`) at any of these prices."""
    known = [price for price in prices if price]
    return [unit for unit in SINGLE if any(getattr(price, unit) is not None for price in known)]


def price_of(model: AIModel, at: datetime | None = None) -> PriceVersion | None:
    """Return the version that is in force, None for a model without a price."""
    return PriceVersion.objects.filter(model=model).at(at or timezone.now()).first()


def fees_in_force(user: User) -> Mapping[UUID | None, FeeVersion]:
    """Return by institution the fee in force, under None the general one, as far as `user` may know."""
    begun = FeeVersion.objects.for_user(user).filter(valid_from__lte=timezone.now())
    rows = begun.select_related("institution").order_by("institution_id", "-valid_from")
    return {fee.institution_id: fee for fee in rows.distinct("institution_id")}


def fee_for(user: User) -> FeeVersion | None:
    """Return the fee on what the reader's institution uses: its own version, or the general one."""
    institutions = user.institution_ids()
    begun = FeeVersion.objects.for_user(user).filter(valid_from__lte=timezone.now())
    own = begun.filter(Q(institution=None) | Q(institution__in=institutions))
    return own.order_by("institution_id", "-valid_from").first()
