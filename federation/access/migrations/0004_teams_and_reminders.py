"""Applications of teams; of which end of a key its people were told, as they are two weeks before."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import migrations, models

NAME = "remind of keys that end"
HOUR = 7


def schedule(apps, schema_editor):
    morning = datetime.now(ZoneInfo("Europe/Paris")).replace(
        hour=HOUR, minute=0, second=0, microsecond=0
    ) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "federation.access.tasks.remind_of_ends",
            "schedule_type": "D",
            "next_run": morning,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_scopes_and_people"),
        ("members", "0002_committee"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [
        migrations.AddField(
            "application",
            "team",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=models.deletion.PROTECT,
                related_name="applications",
                to="members.team",
                verbose_name="team",
            ),
        ),
        migrations.AddField(
            "apikey",
            "reminded_of",
            models.DateTimeField("end that was announced", blank=True, null=True),
        ),
        migrations.RunPython(schedule, unschedule),
    ]
