"""What the worker does for people: their e-mails when there are some, the rest at night or every hour.

Each is safe to run twice.
"""

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from federation.people import post
from federation.people.enums import Forgotten
from federation.people.operations import note_forgotten


def forget_ended_sessions() -> None:
    """Delete sessions that have expired, and from where they were: personal data, which open nothing any more."""
    now = timezone.now()
    removed, _of_kinds = Session.objects.filter(expire_date__lt=now).delete()
    living = Session.objects.values("session_key")
    UserSession.objects.exclude(session_key__in=living).delete()
    note_forgotten(what=Forgotten.SESSIONS, removed=removed, before=now)


def forget_old_counters() -> None:
    """Delete what was counted against brute force and is over: it names addresses."""
    table, now = connection.ops.quote_name(settings.COUNTERS), timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [now])  # noqa: S608
        removed = cursor.rowcount
    note_forgotten(what=Forgotten.COUNTERS, removed=removed, before=now)


def send_mails() -> None:
    """Send what waits in the outbox and is due."""
    post.send_due()
