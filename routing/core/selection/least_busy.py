"""The server with the fewest requests in flight."""

from collections.abc import Sequence

from routing.core.selection.choice import O
from routing.core.selection.round_robin import round_robin


def least_busy(options: Sequence[O], last: str) -> O:
    """Return the option with the fewest requests in flight; equals take turns, so that idle servers share."""
    loads = [option.in_flight for option in options]
    fewest = min(loads)
    equals = [option for option, load in zip(options, loads, strict=True) if load == fewest]
    return round_robin(equals, last)
