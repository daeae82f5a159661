import django.db.models.deletion
from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0003_affinity"),
        ("fleet", "0001_initial"),
        ("members", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="GuestRules",
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
                    "lowest_class",
                    models.PositiveSmallIntegerField(default=1, verbose_name="lowest class"),
                ),
                (
                    "hours",
                    models.JSONField(blank=True, default=list, verbose_name="at most, by the hour"),
                ),
                (
                    "blocked_institutions",
                    models.ManyToManyField(
                        blank=True,
                        related_name="+",
                        to="members.institution",
                        verbose_name="institutions not served",
                    ),
                ),
                (
                    "blocked_models",
                    models.ManyToManyField(
                        blank=True,
                        related_name="+",
                        to="catalogue.aimodel",
                        verbose_name="models not served to others",
                    ),
                ),
                (
                    "server",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="guest_rules",
                        to="fleet.inferenceserver",
                        verbose_name="server",
                    ),
                ),
            ],
            options={
                "verbose_name": "rules for guests",
                "verbose_name_plural": "rules for guests",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("lowest_class__gte", 1), ("lowest_class__lte", 5)),
                        name="guests_have_a_lowest_class_from_1_to_5",
                    )
                ],
            },
        ),
    ]
