"""What the worker does for the accounts at night. Safe to run twice."""

from billing.operations.retention import anonymise
from billing.periods import paris_today
from federation.journal.actors import SYSTEM


def forget_what_is_due() -> None:
    """Forget whose keys asked long ago, and who has left (docs/retention.md)."""
    anonymise(by=SYSTEM, today=paris_today())
