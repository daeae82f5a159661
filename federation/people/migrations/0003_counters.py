"""Where attempts are counted: a table of Django's cache, emptied of what is over by the worker every night."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import migrations

NAME = "forget old counters"
HOUR = 3
FORWARD = """
CREATE TABLE portal_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
CREATE INDEX portal_cache_expires ON portal_cache (expires);
"""


def schedule(apps, schema_editor):
    night = datetime.now(ZoneInfo("Europe/Paris")).replace(
        hour=HOUR, minute=35, second=0, microsecond=0
    ) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "federation.people.tasks.forget_old_counters",
            "schedule_type": "D",
            "next_run": night,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("people", "0002_nightly_tasks")]
    operations = [
        migrations.RunSQL(FORWARD, "DROP TABLE portal_cache"),
        migrations.RunPython(schedule, unschedule),
    ]
