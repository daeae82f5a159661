"""E-mails wait in the outbox: what notices and alarms knew of tries and times is no longer needed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0008_categories"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="minimumservicealarm",
            name="an_end_is_told_once_it_has_come",
        ),
        migrations.RemoveIndex(
            model_name="notice",
            name="unsent_notices",
        ),
        migrations.RemoveField(
            model_name="minimumservicealarm",
            name="fall_told_at",
        ),
        migrations.RemoveField(
            model_name="minimumservicealarm",
            name="return_told_at",
        ),
    ]
