"""What the worker is told to do at night."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule

pytestmark = pytest.mark.django_db


def test_a_session_that_has_ended_is_forgotten_at_night() -> None:
    ended, living = SessionStore(), SessionStore()
    for session in (ended, living):
        session.create()
    Session.objects.filter(pk=ended.session_key).update(
        expire_date=timezone.now() - timedelta(days=1)
    )
    # Told again here: a test that empties every table may have run before.
    import_module("federation.people.migrations.0002_nightly_tasks").schedule(apps, None)
    scheduled = Schedule.objects.get(func="federation.people.tasks.forget_ended_sessions")

    import_string(scheduled.func)()

    assert [session.pk for session in Session.objects.all()] == [living.session_key]
