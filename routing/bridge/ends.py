"""Of the router's table: when names end, which have ended, and what follows them.

A day begins in Paris, for the register as for who reads an announcement.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, QuerySet, Subquery

from federation.catalogue.models import AIModel, Alias, StageChange
from routing.core.enums import LifecycleStage
from routing.core.table import End

PARIS = ZoneInfo("Europe/Paris")
NEVER_OFFERED = (LifecycleStage.PROPOSED, LifecycleStage.STAGING)


def end_of(model: AIModel) -> End | None:
    """Return the end of a deprecated model."""
    if model.stage != LifecycleStage.DEPRECATED:
        return None
    return End(
        announced_at=_seconds(model.deprecated_at),
        at=_first_moment(model.retires_on),
        successor=model.successor.slug if model.successor else None,
    )


def ends_of_aliases(aliases: Iterable[Alias]) -> dict[str, End]:
    """Return the ends of those that have one of their own, which the router goes by when the moment comes."""
    return {alias.name.lower(): _end_of_alias(alias) for alias in aliases if alias.sunset}


def names_gone() -> dict[str, End]:
    """Return the names that were answered once: aliases taken away, models that are retired and their aliases.

    A model that was never offered to everybody leaves none.
    """
    found = {}
    removed = Alias.objects.filter(
        removed_at__isnull=False, model__in=AIModel.objects.open_to_all()
    )
    for alias in removed.select_related("successor", "model__successor").order_by("removed_at"):
        found[alias.name.lower()] = End(
            at=_seconds(alias.removed_at), successor=alias.instead.slug, of_alias=True
        )
    ends = {row.pk: (row.slug, _end_of_retired(row)) for row in _retired()}
    aliases = Alias.objects.in_force().filter(model__in=ends).order_by("pk")
    for name, pk in aliases.values_list("name", "model_id"):
        found[name.lower()] = ends[pk][1]
    return found | {slug.lower(): end for slug, end in ends.values()}


def _retired() -> QuerySet[AIModel]:
    changes = StageChange.objects.filter(model=OuterRef("pk"), after=LifecycleStage.RETIRED)
    last = changes.order_by("-created_at")
    return (
        AIModel.objects.filter(stage=LifecycleStage.RETIRED)
        .annotate(came_from=Subquery(last.values("before")[:1]))
        .annotate(went_at=Subquery(last.values("created_at")[:1]))
        .exclude(came_from__in=NEVER_OFFERED)
        .select_related("successor")
        .order_by("pk")
    )


def _end_of_retired(model: Any) -> End:
    """Of one that was retired before its history was kept, or came so from elsewhere, no moment is known."""
    went_at = model.went_at if model.came_from else None
    return End(
        at=_first_moment(model.retires_on) or _seconds(went_at),
        successor=model.successor.slug if model.successor else None,
    )


def _end_of_alias(alias: Alias) -> End:
    return End(
        announced_at=_seconds(alias.announced_at or alias.created_at),
        at=_first_moment(alias.sunset),
        successor=alias.instead.slug,
        of_alias=True,
    )


def _first_moment(day: date | None) -> int | None:
    return int(datetime.combine(day, time.min, PARIS).timestamp()) if day else None


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
