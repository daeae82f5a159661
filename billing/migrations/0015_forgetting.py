"""The worker forgets every night whose keys asked long ago, and who has left. Mergers are a reason of transfers."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import migrations, models

NAME = "forget whose keys asked"
HOUR = 4


def schedule(apps, schema_editor):
    night = datetime.now(ZoneInfo("Europe/Paris")).replace(
        hour=HOUR, minute=15, second=0, microsecond=0
    ) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "billing.tasks.forget_what_is_due",
            "schedule_type": "D",
            "next_run": night,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0014_invoices"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]

    operations = [
        migrations.AlterField(
            model_name="transfer",
            name="reason",
            field=models.CharField(
                choices=[
                    ("usage", "usage"),
                    ("fee", "fee"),
                    ("grant", "grant"),
                    ("grant_used", "grant used"),
                    ("grant_lapsed", "grant lapsed"),
                    ("reversal", "reversal"),
                    ("rounding", "rounding"),
                    ("merger", "merger of institutions"),
                ],
                max_length=16,
                verbose_name="reason",
            ),
        ),
        migrations.RunPython(schedule, unschedule),
    ]
