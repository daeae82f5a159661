"""What the worker does for models by itself. Safe to run twice."""

from federation.catalogue.operations import life, notices


def follow_calendar() -> None:
    """Each hour: retire what ends today, remind of what ends in a week."""
    life.retire_due_models()
    notices.remind_of_ends()
