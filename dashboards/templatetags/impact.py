"""Numbers of the impact page, in the reader's format."""

from django import template

from billing.energy.measured import kwh as kilowatt_hours
from billing.impact.enums import Method
from billing.impact.equivalents import choose_equivalent
from billing.impact.factors import Impact
from billing.impact.interval import Interval
from dashboards.impact.labels import BADGES, Badge, in_things
from dashboards.impact.quantities import (
    GRAMS,
    KWH,
    MILLILITRES,
    WH,
    Quantity,
    amount,
    digits,
    exact,
    quantity,
)

register = template.Library()
register.filter("digits", digits)
register.filter("exact", exact)


@register.filter
def percent(share: float) -> str:
    """Return a share as a number of hundredths, without its sign."""
    return exact(100 * share)


@register.filter
def kwh(figure: Interval) -> Quantity:
    """Return kilowatt hours in the unit that fits."""
    return quantity(figure, KWH)


@register.filter
def watt_hours(millijoules: int) -> str:
    """Return an energy that knows no range in the unit that fits."""
    return amount(kilowatt_hours(millijoules), KWH)


@register.filter
def in_wh(figure: Interval) -> Quantity:
    """Return kilowatt hours as watt hours, where lines are compared."""
    return quantity(figure, WH)


@register.filter
def grams(figure: Interval) -> Quantity:
    return quantity(figure, GRAMS)


@register.filter
def millilitres(figure: Interval) -> Quantity:
    return quantity(figure, MILLILITRES)


@register.filter
def badge(method: str) -> Badge:
    """Return how sure a figure is, in a word and a colour."""
    return BADGES[Method(method)]


@register.filter
def things(impact: Impact) -> str:
    """Return what it amounts to in things that people know; empty for nothing."""
    found = choose_equivalent(impact.co2e_g.central, impact.energy_kwh.central)
    return in_things(found) if found else ""
