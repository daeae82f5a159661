"""What the chain alone cannot tell: whether a journal without events should have some."""

from django.apps import apps

from federation.journal.chain import BrokenChainError
from federation.journal.models import AuditEvent

ALWAYS_TOLD = ("people.User", "members.Institution")
"""No row of these comes into the register without an event; by name, for they lie above the journal."""


def check_not_emptied() -> None:
    """Raise `BrokenChainError` when the journal is empty and the register is not."""
    if AuditEvent.objects.exists():
        return
    if any(apps.get_model(name)._default_manager.exists() for name in ALWAYS_TOLD):
        raise BrokenChainError(
            1, "is missing, and every other: the register has rows, the journal none"
        )
