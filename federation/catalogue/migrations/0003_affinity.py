"""A third strategy, the default from now on; what models have stays."""

from typing import ClassVar

from django.db import migrations, models

STRATEGIES = ["affinity", "least-busy", "round-robin"]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("catalogue", "0002_immutable_versions")]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="aimodel",
            name="strategy",
            field=models.CharField(
                choices=[
                    ("round-robin", "round robin"),
                    ("least-busy", "least busy"),
                    ("affinity", "affinity"),
                ],
                default="affinity",
                max_length=16,
                verbose_name="strategy",
            ),
        ),
        migrations.RemoveConstraint(model_name="aimodel", name="a_strategy_is_known"),
        migrations.AddConstraint(
            model_name="aimodel",
            constraint=models.CheckConstraint(
                condition=models.Q(("strategy__in", STRATEGIES)), name="a_strategy_is_known"
            ),
        ),
    ]
