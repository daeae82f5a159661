"""The hint towards a lighter model: of the same kind, open to all, and well below by the token."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast
from uuid import UUID

from django.core.cache import caches

from billing.periods import last_days
from billing.usage.footprint import Footprint, ModelFootprint, recent_by_model
from federation.catalogue.enums import Category
from federation.catalogue.models import AIModel

LEAST_TIMES = 1.5
"""Less is within what the figures may be off by."""
RECENT_DAYS = 30
REMEMBERED_FOR_SECONDS = 600
"""What all answers took is not summed anew for each page that compares models."""
ALIKE = frozenset({Category.GENERALIST, Category.MULTIMODAL, Category.REASONING, Category.AGENTIC})
"""Categories that write text: a question to one may often be put to another."""


class Lighter(NamedTuple):
    """`times` less energy by the token than `than` takes, over the federation's last month."""

    model: AIModel
    than: str
    times: float


def lighter_choice(taken: Sequence[ModelFootprint]) -> Lighter | None:
    """Return a lighter model than the one that took the most energy, None where that is light enough."""
    heaviest = next((row for row in taken if row.footprint.is_known), None)
    if heaviest is None:
        return None
    model = AIModel.objects.open_to_all().filter(pk=heaviest.model_id).first()
    return lighter_than(model, taken_recently()) if model else None


def taken_recently() -> dict[UUID, Footprint]:
    """Return by model what the whole federation's answers took recently."""
    found = caches["memory"].get_or_set(
        "impact.recent", lambda: recent_by_model(last_days(RECENT_DAYS)), REMEMBERED_FOR_SECONDS
    )
    return cast(dict[UUID, Footprint], found)


def lighter_than(model: AIModel, recent: Mapping[UUID, Footprint]) -> Lighter | None:
    """Return the lightest model that may stand in for `model`, by what both took recently."""
    own = _by_token(recent.get(model.pk))
    if own is None:
        return None
    offered = AIModel.objects.open_to_all().exclude(pk=model.pk)
    categories = ALIKE if model.category in ALIKE else {model.category}
    found = [
        Lighter(other, model.slug, own / by_token)
        for other in offered.filter(category__in=sorted(categories))
        if (by_token := _by_token(recent.get(other.pk)))
    ]
    best = max(found, key=lambda each: each.times, default=None)
    return best if best and best.times >= LEAST_TIMES else None


def _by_token(footprint: Footprint | None) -> float | None:
    per_thousand = footprint.kwh_per_thousand if footprint else None
    return per_thousand.central if per_thousand else None
