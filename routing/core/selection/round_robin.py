"""Each server in its turn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.core.candidates import Route
    from routing.core.queueing import Request


def round_robin(options: Sequence["Route"], request: "Request", last: str, now: float) -> "Route":
    """Return the option behind `last` in the order of keys, the first one behind the end.

    Turns follow keys, not positions: servers that come, go or fill up shift nobody else's turn.
    """
    return next((option for option in options if option.key > last), options[0])
