"""The words of the impact page: how sure a figure is, grids, and things that people know."""

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.impact.energy import (
    CALIBRATED_SPREAD,
    FITTED_SPREAD,
    LEAST_FITTED_BATCH_MILLI,
    WIDE_SPREAD,
)
from billing.impact.enums import Method
from billing.impact.equivalents import LED_W, Equivalent, Thing
from billing.impact.hardware import ACCELERATORS
from billing.impact.windows import LEAST_WINDOWS
from dashboards.impact.quantities import digits

Words = str | Promise

GRIDS: Mapping[str, Words] = {
    "FRA": gettext_lazy("France"),
    "BEL": gettext_lazy("Belgium"),
    "DEU": gettext_lazy("Germany"),
    "SWE": gettext_lazy("Sweden"),
    "USA": gettext_lazy("United States"),
    "WOR": gettext_lazy("World"),
}


class Badge(NamedTuple):
    """A method's name for people, and the colour of it."""

    label: Words
    tone: str


BADGES: Mapping[Method, Badge] = {
    Method.MEASURED: Badge(gettext_lazy("measured"), "bg-green-lt"),
    Method.CALIBRATED: Badge(gettext_lazy("calibrated"), "bg-green-lt"),
    Method.MODEL: Badge(gettext_lazy("modelled"), "bg-azure-lt"),
    Method.EXTRAPOLATED: Badge(gettext_lazy("extrapolated"), "bg-yellow-lt"),
    Method.GPU_TIME: Badge(gettext_lazy("by GPU time"), "bg-yellow-lt"),
    Method.NONE: Badge(gettext_lazy("no figure"), "bg-secondary-lt"),
}


class Explained(NamedTuple):
    """A method in words. `spread`: by what its figures may be off; else `range` says it."""

    method: Method
    badge: Badge
    meaning: str
    spread: float | None = None
    range: str = ""


def explained() -> list[Explained]:
    """Return every method, the surest first."""
    calibrated = _(
        "Modelled, corrected by at least %(minutes)s measured minutes of this model on this server."
    )
    modelled = _(
        "Modelled for an accelerator that the model was fitted on (%(fitted)s), %(batch)s or more requests "
        "at a time."
    )
    few = LEAST_FITTED_BATCH_MILLI // 1_000
    fitted = ", ".join(each.code for each in ACCELERATORS.values() if each.fitted)
    meanings: dict[Method, tuple[str, float | None]] = {
        Method.MEASURED: (
            _("A meter’s energy, shared out among the requests of its minute."),
            None,
        ),
        Method.CALIBRATED: (calibrated % {"minutes": LEAST_WINDOWS}, CALIBRATED_SPREAD),
        Method.MODEL: (modelled % {"fitted": fitted, "batch": few}, FITTED_SPREAD),
        Method.EXTRAPOLATED: (
            _("Another accelerator, or fewer than %(batch)s requests at a time.") % {"batch": few},
            WIDE_SPREAD,
        ),
        Method.GPU_TIME: (
            _(
                "Typical power times duration: speech, embeddings, images, character recognition, models "
                "of unknown size."
            ),
            WIDE_SPREAD,
        ),
        Method.NONE: (
            _("The accelerator is not known, or only a slice of one. No figure is not zero."),
            None,
        ),
    }
    ranges = {
        Method.MEASURED: _(
            "that of the rest of the server, where the meter sees accelerators alone"
        ),
        Method.NONE: "–",
    }
    return [
        Explained(method, BADGES[method], *meanings[method], ranges.get(method, ""))
        for method in Method
    ]


ONE_OF: Mapping[Thing, Words] = {
    Thing.CAR_KM: gettext_lazy("a kilometre by car with a combustion engine"),
    Thing.STREAMING_HOUR: gettext_lazy("an hour of video"),
    Thing.TRAIN_KM: gettext_lazy("a kilometre by high-speed train"),
    Thing.EMAIL: gettext_lazy("an e-mail"),
    Thing.WEB_SEARCH: gettext_lazy("a web search"),
}
"""Things of which the CO2e is known."""

_THINGS: Mapping[Thing, Words] = {
    Thing.CAR_KM: gettext_lazy("%(amount)s km by car"),
    Thing.STREAMING_HOUR: gettext_lazy("%(amount)s h of video"),
    Thing.TRAIN_KM: gettext_lazy("%(amount)s km by high-speed train"),
    Thing.EMAIL: gettext_lazy("%(amount)s × an e-mail"),
    Thing.WEB_SEARCH: gettext_lazy("%(amount)s × a web search"),
    Thing.LED_HOUR: gettext_lazy("%(amount)s h of light of a %(watts)s W lamp"),
    Thing.LED_MINUTE: gettext_lazy("%(amount)s min of light of a %(watts)s W lamp"),
    Thing.LED_SECOND: gettext_lazy("%(amount)s s of light of a %(watts)s W lamp"),
}


def in_things(equivalent: Equivalent) -> str:
    """Return so many of a thing, as people say it."""
    said = {"amount": digits(equivalent.amount), "watts": LED_W}
    return str(_THINGS[equivalent.thing]) % said
