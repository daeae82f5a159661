"""Money on pages: `euros` for amounts, `per_million` for the price of a unit."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from billing.money import CENT
from billing.money import cents as in_cents
from billing.money import per_million as in_millions
from billing.statements import NANO_PER_CENT

register = template.Library()
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
    if nano is None:
        return "–"
    price = in_millions(nano)
    decimals = max(2, -int(price.normalize().as_tuple().exponent))
    return _("€%(amount)s") % {"amount": number_format(price, decimals, force_grouping=True)}
