"""Counters that are over are deleted every hour, no longer at night: nothing else bounds their table."""

from datetime import timedelta

from django.db import migrations
from django.utils import timezone

NAME = "forget old counters"


def schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "federation.people.tasks.forget_old_counters",
            "schedule_type": "H",
            "next_run": timezone.now() + timedelta(hours=1),
            "repeats": -1,
        },
    )


class Migration(migrations.Migration):
    dependencies = [("people", "0003_counters")]
    operations = [migrations.RunPython(schedule, migrations.RunPython.noop)]
