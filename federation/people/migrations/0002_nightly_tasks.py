"""The worker forgets expired sessions every night, at a quiet hour of Paris."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import migrations

NAME = "forget ended sessions"
HOUR = 3


def schedule(apps, schema_editor):
    night = datetime.now(ZoneInfo("Europe/Paris")).replace(
        hour=HOUR, minute=30, second=0, microsecond=0
    ) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "federation.people.tasks.forget_ended_sessions",
            "schedule_type": "D",
            "next_run": night,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0001_initial"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [migrations.RunPython(schedule, unschedule)]
