"""What the worker does at night for people's sake. Each is safe to run twice."""

from django.core.management import call_command


def forget_ended_sessions() -> None:
    """Delete sessions that have expired: they are personal data and open nothing any more."""
    call_command("clearsessions")
