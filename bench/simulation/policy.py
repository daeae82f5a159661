"""What a routing policy is to the world around it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from bench.simulation.engine import Router, Server
from bench.simulation.requests import Request
from bench.simulation.timeline import Timeline

Settle = Callable[[Request], None]
"""Tells the client how its request has ended; `status` says how."""


class Policy(Router, Protocol):
    """Decides where each request goes, and when. It settles every request, but for those that are cancelled."""

    title: str

    def arrive(self, request: Request) -> None: ...

    def cancel(self, request: Request) -> None:
        """The client has left: what it waited for or ran is over."""

    def join(self, server: Server) -> None:
        """A new server takes part from now on."""

    def away(self) -> set[str]:
        """Return the names of the servers that get nothing at present, for ill health."""

    def in_flight(self) -> int:
        """Return how many requests it believes to be at servers."""


class MakePolicy(Protocol):
    def __call__(
        self, timeline: Timeline, servers: Sequence[Server], settle: Settle, seed: int
    ) -> Policy: ...
