"""The worker moves every night what came late for institutions that are parts of others."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import migrations

NAME = "move what came late of mergers"
HOUR = 4


def schedule(apps, schema_editor):
    night = datetime.now(ZoneInfo("Europe/Paris")).replace(
        hour=HOUR, minute=45, second=0, microsecond=0
    ) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "billing.tasks.follow_mergers",
            "schedule_type": "D",
            "next_run": night,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0018_energy_by_the_hour"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]

    operations = [
        migrations.RunPython(schedule, unschedule),
    ]
