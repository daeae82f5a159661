"""E-mails wait in the database until they have left; the worker looks every two minutes for what could not be sent."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

NAME = "send mails"
EVERY_MINUTES = 2


def schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "federation.people.tasks.send_mails",
            "schedule_type": "I",
            "minutes": EVERY_MINUTES,
            "next_run": django.utils.timezone.now(),
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("people", "0004_counters_every_hour")]
    operations = [
        migrations.CreateModel(
            name="Mail",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=routing.core.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("address", models.EmailField(max_length=254)),
                ("sealed", models.TextField()),
                ("topic", models.CharField(blank=True, db_index=True, max_length=80)),
                ("until", models.DateTimeField(blank=True, null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "next_try_at",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now),
                ),
                ("failure", models.CharField(blank=True, max_length=200)),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.RunPython(schedule, unschedule),
    ]
