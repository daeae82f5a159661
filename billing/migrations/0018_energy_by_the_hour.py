"""Measured energy that is old is kept by the hour."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0017_measured_energy"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="energywindow",
            index=models.Index(fields=["start"], name="windows_by_time"),
        ),
        migrations.CreateModel(
            name="EnergyHour",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("server_id", models.UUIDField(verbose_name="inference server")),
                ("hour", models.DateTimeField(verbose_name="hour")),
                (
                    "scope",
                    models.CharField(
                        choices=[("gpu", "its GPUs alone"), ("server", "the whole server")],
                        max_length=6,
                        verbose_name="what it sees",
                    ),
                ),
                ("windows", models.IntegerField(verbose_name="windows")),
                (
                    "measured_mj",
                    models.BigIntegerField(verbose_name="measured energy in millijoules"),
                ),
                ("idle_mj", models.BigIntegerField(verbose_name="without work")),
                ("local_mj", models.BigIntegerField(verbose_name="the host’s own use")),
                (
                    "attributed_mj",
                    models.BigIntegerField(verbose_name="of the federation’s requests"),
                ),
                ("covered_ms", models.BigIntegerField(verbose_name="milliseconds that are known")),
                ("total_ms", models.BigIntegerField(verbose_name="milliseconds of all windows")),
                (
                    "faults",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16), size=None, verbose_name="faults"
                    ),
                ),
            ],
            options={
                "verbose_name": "hour of measured energy",
                "verbose_name_plural": "hours of measured energy",
                "indexes": [models.Index(fields=["hour"], name="energy_by_hour")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("server_id", "hour", "scope"),
                        name="an_hour_of_energy_is_kept_once",
                    ),
                    models.CheckConstraint(
                        condition=Q(measured_mj=F("idle_mj") + F("local_mj") + F("attributed_mj")),
                        name="an_hour_of_energy_is_shared_out_whole",
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            windows__gt=0,
                            idle_mj__gte=0,
                            local_mj__gte=0,
                            attributed_mj__gte=0,
                            covered_ms__gte=0,
                            total_ms__gte=0,
                        ),
                        name="an_hour_of_energy_is_never_negative",
                    ),
                ],
            },
        ),
    ]
