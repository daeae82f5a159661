"""What a model on trial still needs before it goes into production, point by point, from facts.

What servers show is the fleet's to say: it registers its points when its app is ready.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel


class Point(NamedTuple):
    """`is_needed`: without it the model stays on trial; others are advice. `text` says what is missing, `links` where
    to see to it: names and addresses of pages."""

    title: str
    is_met: bool
    text: str
    is_needed: bool = True
    links: tuple[tuple[str, str], ...] = ()


Points = Callable[[AIModel], Iterable[Point]]
_others: list[Points] = []


def register(points: Points) -> None:
    _others.append(points)


def points_of(model: AIModel) -> list[Point]:
    """Return every point, what is needed first."""
    found = [*(point for points in _others for point in points(model)), *_of_the_catalogue(model)]
    return sorted(found, key=lambda point: not point.is_needed)


def what_is_missing(model: AIModel) -> list[str]:
    return [point.text for point in points_of(model) if point.is_needed and not point.is_met]


def _of_the_catalogue(model: AIModel) -> list[Point]:
    card = {
        _("description in French"): model.description_fr,
        _("description in English"): model.description_en,
        _("publisher"): model.publisher,
        _("licence"): model.licence,
        _("languages"): model.languages,
        _("capabilities"): model.capabilities,
    }
    empty = ", ".join(name for name, value in card.items() if not value)
    return [
        Point(
            _("A version"),
            model.versions.filter(current=True).exists(),
            _("No version of it is current: a technical form names one."),
        ),
        Point(
            _("Its card"),
            not empty,
            _("Not filled in yet: %(fields)s.") % {"fields": empty},
            is_needed=False,
        ),
    ]
