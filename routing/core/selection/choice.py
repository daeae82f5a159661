"""What a strategy sees of a server and of a request, and what it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from routing.core.candidates import Route
    from routing.core.queueing import Request


class Choose(Protocol):
    def __call__(
        self, options: Sequence["Route"], request: "Request", last: str, now: float
    ) -> "Route":
        """Return one of `options` (at least one, sorted by `key`); `last` is the key chosen before, "" at first."""
