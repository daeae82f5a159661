"""Money on pages: `euros` for amounts, `per_million` and `each` for the price of a unit, lines of statements."""

from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from billing.enums import LineUnit
from billing.models.statements import LineColumns
from billing.money import CENT
from billing.money import cents as in_cents
from billing.money import euros as in_euros
from billing.money import per_million as in_millions
from billing.statements.statement import NANO_PER_CENT, Line, label_of

register = template.Library()
SECONDS_IN_AN_HOUR = 3600
MINUS = "\u2212"


@register.filter
def euros(nano: int | None) -> str:
    """Return an amount with its currency; less than a cent says so, rather than to be nothing."""
    if nano is None:
        return "–"
    shown = in_cents(nano)
    if nano and not shown:
        return _("less than €%(amount)s") % {"amount": number_format(CENT, 2)}
    amount = _("€%(amount)s") % {"amount": number_format(abs(shown), 2, force_grouping=True)}
    return f"{MINUS}{amount}" if shown < 0 else amount


@register.filter
def cents(amount: int) -> str:
    """Return whole cents with their currency."""
    return euros(amount * NANO_PER_CENT)


@register.filter
def per_million(nano: int | None) -> str:
    """Return a price in euros per million units, without zeros at its end beyond the cents."""
    return "–" if nano is None else _exactly(in_millions(nano))


@register.filter
def each(nano: int | None) -> str:
    """Return the price of one unit, as exactly as it is."""
    return "–" if nano is None else _exactly(in_euros(nano))


@register.filter
def an_hour(nano: int) -> str:
    """Return what an hour costs of what is sold by the second."""
    return each(nano * SECONDS_IN_AN_HOUR)


@register.filter
def what(line: Line | LineColumns) -> str:
    """Return what a line of a statement is for."""
    return label_of(line.kind, line.unit)


@register.filter
def quantity(line: Line) -> str:
    """Return how much a line of a statement is for; audio to the millisecond."""
    if not line.unit:
        return "–"
    decimals = 3 if line.unit == LineUnit.AUDIO else 0
    return number_format(line.units, decimals, force_grouping=True)


@register.filter
def unit_price(line: Line) -> str:
    """Return the price of a line's unit, and for how many it is."""
    match line.unit:
        case None:
            return "–"
        case LineUnit.AUDIO:
            return _("%(price)s a second") % {"price": each(line.unit_nano)}
        case LineUnit.IMAGE:
            return _("%(price)s each") % {"price": each(line.unit_nano)}
        case _:
            return _("%(price)s per million") % {"price": per_million(line.unit_nano)}


def _exactly(price: Decimal) -> str:
    decimals = max(2, -int(price.normalize().as_tuple().exponent))
    return _("€%(amount)s") % {"amount": number_format(price, decimals, force_grouping=True)}
