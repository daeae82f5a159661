"""Labels of the choices that a key makes. The values are the router's."""

from django.utils.translation import gettext_lazy as _

from routing.core.enums import Measure, PriorityClass, RoutingMode

PRIORITY_LABELS = {
    PriorityClass.P5.value: _("P5, served first"),
    PriorityClass.P4.value: "P4",
    PriorityClass.P3.value: _("P3, ordinary"),
    PriorityClass.P2.value: "P2",
    PriorityClass.P1.value: _("P1, served last: batches"),
}

ROUTING_MODE_LABELS = {
    RoutingMode.ANY.value: _("any server"),
    RoutingMode.PRIVATE_FIRST.value: _("own servers first"),
    RoutingMode.PRIVATE_ONLY.value: _("own servers only"),
}

MEASURE_LABELS = {
    Measure.REQUESTS_PER_MINUTE.value: _("requests per minute"),
    Measure.REQUESTS_PER_DAY.value: _("requests per day"),
    Measure.TOKENS_PER_MINUTE.value: _("tokens per minute"),
    Measure.TOKENS_PER_DAY.value: _("tokens per day"),
    Measure.AT_ONCE.value: _("requests at once"),
}
