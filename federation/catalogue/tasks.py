"""What the worker does for models by itself. Each is safe to run twice."""

from federation.catalogue.operations import life, notices


def follow_calendar() -> None:
    """Each hour: retire what ends today, remind of what ends in a week, send what could not be sent."""
    life.retire_due_models()
    notices.remind_of_ends()
    notices.send_notices()


def send_notices() -> None:
    """Send what has just been announced."""
    notices.send_notices()
