"""Each run of a job that forgets leaves word of how much it was."""

from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    dependencies = [("people", "0005_outbox")]
    operations = [
        migrations.CreateModel(
            name="Forgetting",
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
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("usage", "which key asked a request"),
                            ("people", "names of people who have left"),
                            ("sessions", "ended sessions"),
                            ("counters", "counters of attempts to sign in"),
                            ("changes", "changes that routers have followed"),
                        ],
                        max_length=8,
                        verbose_name="what was forgotten",
                    ),
                ),
                ("removed", models.PositiveBigIntegerField(verbose_name="how many")),
                (
                    "before",
                    models.DateTimeField(blank=True, null=True, verbose_name="of before"),
                ),
            ],
            options={
                "verbose_name": "run of a job that forgets",
                "verbose_name_plural": "runs of jobs that forget",
                "ordering": ("-pk",),
                "indexes": [models.Index(fields=["created_at"], name="forgettings_by_time")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("what__in", ["usage", "people", "sessions", "counters", "changes"])
                        ),
                        name="what_is_forgotten_is_known",
                    )
                ],
            },
        ),
    ]
