"""Who may stand behind an act: a person, an operator's command, the system itself.

The journal keeps pseudonyms, never a name or an address; `federation.people.User` is an actor by its pseudonym.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID


class ActorKind(StrEnum):
    PERSON = "person"
    COMMAND = "command"
    SYSTEM = "system"


class AuditIdentity(NamedTuple):
    """What the journal writes down of an actor."""

    kind: ActorKind
    pseudonym: UUID | None = None
    command: str = ""


class Actor(Protocol):
    @property
    def audit_identity(self) -> AuditIdentity: ...


@dataclass(frozen=True)
class CommandActor:
    """An operator at the machine, through the management command of this name."""

    command: str

    @property
    def audit_identity(self) -> AuditIdentity:
        return AuditIdentity(ActorKind.COMMAND, command=self.command)


@dataclass(frozen=True)
class SystemActor:
    """The product by itself: a rule that falls due, a background job."""

    @property
    def audit_identity(self) -> AuditIdentity:
        return AuditIdentity(ActorKind.SYSTEM)


SYSTEM = SystemActor()


def is_operator(by: Actor) -> bool:
    """Whether `by` acts from the machine itself: who may run commands there may do everything."""
    return isinstance(by, CommandActor | SystemActor)
