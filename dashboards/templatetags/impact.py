"""Numbers of the impact page, in the reader's format."""

from django import template

from dashboards.impact.quantities import digits, exact

register = template.Library()
register.filter("digits", digits)
register.filter("exact", exact)


@register.filter
def percent(share: float) -> str:
    """Return a share as a number of hundredths, without its sign."""
    return exact(100 * share)
