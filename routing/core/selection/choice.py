"""What a strategy sees of a server, and what it is."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Option(Protocol):
    """A server that could start the request now. Options come sorted by `key`."""

    @property
    def key(self) -> str: ...

    @property
    def in_flight(self) -> int:
        """Return the requests that it runs now, of all models."""


O = TypeVar("O", bound=Option)  # noqa: E741


class Choose(Protocol):
    def __call__(self, options: Sequence[O], last: str) -> O:
        """Return one of `options` (at least one); `last` is the key chosen before, "" at first."""
