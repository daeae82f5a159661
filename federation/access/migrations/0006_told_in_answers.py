"""Keys may have their answers tell of their impact, for clients that cannot ask with a header."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0005_trials")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="tells",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        (
                            "impact",
                            "energy, CO2e, water and metals, with their ranges (usage.impact)",
                        ),
                        ("carbon", "kWh and CO2e, in the shape of the Albert API (usage.carbon)"),
                    ],
                    max_length=8,
                ),
                blank=True,
                default=list,
                size=None,
                verbose_name="told in every answer",
            ),
        ),
    ]
