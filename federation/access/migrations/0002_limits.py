import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("members", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="threshold",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="when more wait for a model, its requests are refused at once",
                null=True,
                verbose_name="most requests waiting before it",
            ),
        ),
        migrations.CreateModel(
            name="Limit",
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
                    "measure",
                    models.CharField(
                        choices=[
                            ("requests-per-minute", "requests per minute"),
                            ("requests-per-day", "requests per day"),
                            ("tokens-per-minute", "tokens per minute"),
                            ("tokens-per-day", "tokens per day"),
                            ("requests-at-once", "requests at once"),
                        ],
                        max_length=24,
                        verbose_name="what is counted",
                    ),
                ),
                (
                    "most",
                    models.PositiveBigIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="at most",
                    ),
                ),
                ("removed_at", models.DateTimeField(blank=True, null=True, verbose_name="removed")),
                (
                    "application",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="access.application",
                        verbose_name="application",
                    ),
                ),
                (
                    "institution",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="access.apikey",
                        verbose_name="API key",
                    ),
                ),
            ],
            options={
                "verbose_name": "limit",
                "verbose_name_plural": "limits",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("application", None), ("institution", None), ("key__isnull", False)
                            ),
                            models.Q(
                                ("application__isnull", False), ("institution", None), ("key", None)
                            ),
                            models.Q(
                                ("application", None), ("institution__isnull", False), ("key", None)
                            ),
                            _connector="OR",
                        ),
                        name="a_limit_is_of_one_key_application_or_institution",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("removed_at__isnull", True)),
                        fields=("key", "application", "institution", "measure"),
                        name="one_limit_in_force_of_each_kind",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "measure__in",
                                [
                                    "requests-at-once",
                                    "requests-per-day",
                                    "requests-per-minute",
                                    "tokens-per-day",
                                    "tokens-per-minute",
                                ],
                            )
                        ),
                        name="a_limit_counts_what_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("most__gt", 0)), name="a_limit_leaves_something"
                    ),
                ],
            },
        ),
    ]
