"""A request on its way: what its client wants, and what has become of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.simulation.engine import Server

DEADLINE_SECONDS = 570.0
"""How long the gateway lets a request wait."""


class Kind(StrEnum):
    """Chats are streamed to somebody who reads; batch requests are answered in one piece."""

    CHAT = "chat"
    BATCH = "batch"


class Status(StrEnum):
    NEW = "new"
    QUEUED = "queued"
    SENT = "sent"
    DONE = "done"
    ERROR = "error"
    REFUSED = "refused"
    GAVE_UP = "gave up"
    """The client's patience had an end."""
    HUNG_UP = "hung up"
    """The client left, as clients do."""


OVER = frozenset({Status.DONE, Status.ERROR, Status.REFUSED})


@dataclass(eq=False, slots=True)
class Request:
    """Lengths in tokens, times in seconds since the beginning. `priority`: 5 is the highest."""

    id: int
    arrived_at: float
    institution: str
    priority: int
    kind: Kind
    session: str | None
    """The conversation, whose turns share their beginning; None when nothing is shared."""
    prompt: int
    output: int
    is_owners: bool = False
    """Whether it asks to be served by its institution's own servers first."""
    patience: float = 45.0
    deadline: float = DEADLINE_SECONDS
    status: Status = Status.NEW
    is_alive: bool = True
    """Whether its client is still there."""
    attempts: int = 0
    server: "Server | None" = None
    sent_at: float | None = None
    decided_at: float | None = None
    """When it first got a server, or was refused."""
    refused_at: float | None = None
    retry_after: float | None = None
    """Seconds that a refused client is told to wait."""
    first_token_at: float | None = None
    finished_at: float | None = None
    left_at: float | None = None
    """When its client hung up or gave up."""
    # The engine's own notes.
    cached: int = 0
    unread: int = 0
    written: int = 0
    """Tokens written before the present stretch of decoding."""
    start_context: int = 0
    start_step: int = 0
    end_step: int = 0
    is_streamed: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_streamed = self.kind is Kind.CHAT

    def forget_attempt(self) -> None:
        """Begin anew: nothing of the attempt before was passed on to the client."""
        self.first_token_at = None
        self.written = 0
