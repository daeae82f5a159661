"""What the worker does for people: their e-mails when there are some, the rest at night or every hour.

Each is safe to run twice.
"""

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from federation.people import post


def forget_ended_sessions() -> None:
    """Delete sessions that have expired: they are personal data and open nothing any more."""
    call_command("clearsessions")


def forget_old_counters() -> None:
    """Delete what was counted against brute force and is over: it names addresses."""
    table = connection.ops.quote_name(settings.COUNTERS)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [timezone.now()])  # noqa: S608


def send_mails() -> None:
    """Send what waits in the outbox and is due."""
    post.send_due()
