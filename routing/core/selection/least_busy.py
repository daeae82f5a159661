"""The server with the fewest requests in flight."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from routing.core.selection.round_robin import round_robin

if TYPE_CHECKING:
    from routing.core.candidates import Route
    from routing.core.queueing import Request


def least_busy(options: Sequence["Route"], request: "Request", last: str, now: float) -> "Route":
    """Return the option with the fewest requests in flight; equals take turns, so that idle servers share."""
    loads = [option.in_flight for option in options]
    fewest = min(loads)
    equals = [option for option, load in zip(options, loads, strict=True) if load == fewest]
    return round_robin(equals, request, last, now)
