"""Each server in its turn."""

from collections.abc import Sequence

from routing.core.selection.choice import O


def round_robin(options: Sequence[O], last: str) -> O:
    """Return the option behind `last` in the order of keys, the first one behind the end.

    Turns follow keys, not positions: servers that come, go or fill up shift nobody else's turn.
    """
    return next((option for option in options if option.key > last), options[0])
