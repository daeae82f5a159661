"""How an accounted request's outcome reads on a page."""

from django import template
from django.utils.translation import gettext as _

from billing.models import FAILED, STATUS_LABELS, WAITS_MS
from billing.usage.rows import Request
from dashboards.templatetags.face import duration
from federation.access.enums import in_words
from routing.core.enums import RequestStatus

register = template.Library()


@register.filter
def status_label(call: Request) -> str:
    return _("refused by a limit") if call.is_limited else str(STATUS_LABELS[call.status])


@register.filter
def data_class(stored: str) -> str:
    """Return the labels of a data class in words."""
    return in_words(stored.split(","))


@register.filter
def wait(bound: int | None) -> str:
    """Return a bound of `WAITS_MS` that waits keep, in words; None is beyond the last."""
    if bound is None:
        return _("more than %(time)s") % {"time": duration(WAITS_MS[-1])}
    return _("at most %(time)s") % {"time": duration(bound)}


@register.filter
def status_tone(status: str) -> str:
    """Return the badge's colour: green for an answer, red for a failure, none for a client that left."""
    if status == RequestStatus.OK:
        return "bg-green-lt"
    return "bg-red-lt" if status in FAILED else "bg-secondary-lt"
