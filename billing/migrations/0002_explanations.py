"""Attempts say when they ended and why their server was chosen; those of before say nothing of it."""

from datetime import UTC, datetime

from django.db import migrations, models

OUR_TIMES = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="attempt",
            name="ended_at",
            field=models.DateTimeField(null=True, verbose_name="ended"),
        ),
        migrations.AddField(
            model_name="attempt",
            name="explanation",
            field=models.JSONField(null=True, verbose_name="explanation"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_at__isnull", True),
                    ("ended_at__range", OUR_TIMES),
                    _connector="OR",
                ),
                name="an_attempt_ends_in_our_times",
            ),
        ),
    ]
