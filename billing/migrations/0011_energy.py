"""Energy of records and of their sums. What is stored already was answered without a figure, and is counted so."""

from django.db import migrations, models

import billing.impact.enums

LEVELS = {
    "billing_usagehour": "date_trunc('hour', finished_at, 'UTC')",
    "billing_usageday": "(finished_at AT TIME ZONE 'Europe/Paris')::date",
    "billing_usagemonth": "date_trunc('month', finished_at AT TIME ZONE 'Europe/Paris')::date",
}
KEY = (
    "asking_institution_id",
    "serving_institution_id",
    "key_id",
    "application_id",
    "model_id",
    "server_id",
    "status",
)


def count_the_unknown(apps, schema_editor):
    alike = " AND ".join(f"kept.{column} IS NOT DISTINCT FROM told.{column}" for column in KEY)
    for table, since in LEVELS.items():
        schema_editor.execute(
            f"UPDATE {table} kept SET unknown_energy = told.answered FROM ("
            f"SELECT {since} AS moment, {', '.join(KEY)}, count(*) AS answered FROM billing_usagerecord"
            f" WHERE http_status BETWEEN 200 AND 299 GROUP BY moment, {', '.join(KEY)}"
            f") told WHERE kept.since = told.moment AND {alike}"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0010_budgets"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="usageday",
            name="usageday_is_one_sum",
        ),
        migrations.RemoveConstraint(
            model_name="usagehour",
            name="usagehour_is_one_sum",
        ),
        migrations.RemoveConstraint(
            model_name="usagemonth",
            name="usagemonth_is_one_sum",
        ),
        migrations.AddField(
            model_name="usageday",
            name="energy_high_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at most"),
        ),
        migrations.AddField(
            model_name="usageday",
            name="energy_low_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at least"),
        ),
        migrations.AddField(
            model_name="usageday",
            name="energy_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="energy of the sites, in millijoules"
            ),
        ),
        migrations.AddField(
            model_name="usageday",
            name="factors",
            field=models.CharField(
                blank=True, db_default="", max_length=16, verbose_name="factor set"
            ),
        ),
        migrations.AddField(
            model_name="usageday",
            name="gpu_ms",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="GPU milliseconds"),
        ),
        migrations.AddField(
            model_name="usageday",
            name="metered_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which measured or calibrated"
            ),
        ),
        migrations.AddField(
            model_name="usageday",
            name="unknown_energy",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="answered requests whose energy is not known"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="energy_high_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at most"),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="energy_low_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at least"),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="energy_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="energy of the sites, in millijoules"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="factors",
            field=models.CharField(
                blank=True, db_default="", max_length=16, verbose_name="factor set"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="gpu_ms",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="GPU milliseconds"),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="metered_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which measured or calibrated"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="unknown_energy",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="answered requests whose energy is not known"
            ),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="energy_high_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at most"),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="energy_low_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at least"),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="energy_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="energy of the sites, in millijoules"
            ),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="factors",
            field=models.CharField(
                blank=True, db_default="", max_length=16, verbose_name="factor set"
            ),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="gpu_ms",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="GPU milliseconds"),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="metered_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which measured or calibrated"
            ),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="unknown_energy",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="answered requests whose energy is not known"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="batch_milli",
            field=models.IntegerField(
                db_default=0, default=0, verbose_name="requests at a time, in thousandths"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="energy_high_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at most"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="energy_low_mj",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="at least"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="energy_method",
            field=models.CharField(
                choices=[
                    ("measured", "measured"),
                    ("calibrated", "calibrated"),
                    ("model", "modelled"),
                    ("extrapolated", "extrapolated"),
                    ("gpu-time", "by GPU time"),
                    ("none", "not known"),
                ],
                db_default=billing.impact.enums.Method["NONE"],
                max_length=12,
                verbose_name="how its energy is known",
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="energy_mj",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="energy of the site, in millijoules"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="energy_version",
            field=models.SmallIntegerField(
                db_default=0, default=0, verbose_name="version of the method"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="factors",
            field=models.CharField(
                blank=True, db_default="", max_length=16, verbose_name="factor set"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="gpu_mj",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                verbose_name="energy of the GPUs as modelled, in millijoules",
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="gpu_ms",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="GPU milliseconds"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="pue_milli",
            field=models.IntegerField(db_default=0, default=0, verbose_name="PUE, in thousandths"),
        ),
        migrations.AddConstraint(
            model_name="usageday",
            constraint=models.UniqueConstraint(
                fields=(
                    "since",
                    "asking_institution_id",
                    "serving_institution_id",
                    "key_id",
                    "application_id",
                    "model_id",
                    "server_id",
                    "status",
                    "factors",
                ),
                name="usageday_is_one_sum",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="usagehour",
            constraint=models.UniqueConstraint(
                fields=(
                    "since",
                    "asking_institution_id",
                    "serving_institution_id",
                    "key_id",
                    "application_id",
                    "model_id",
                    "server_id",
                    "status",
                    "factors",
                ),
                name="usagehour_is_one_sum",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="usagemonth",
            constraint=models.UniqueConstraint(
                fields=(
                    "since",
                    "asking_institution_id",
                    "serving_institution_id",
                    "key_id",
                    "application_id",
                    "model_id",
                    "server_id",
                    "status",
                    "factors",
                ),
                name="usagemonth_is_one_sum",
                nulls_distinct=False,
            ),
        ),
        migrations.RunPython(count_the_unknown, migrations.RunPython.noop),
    ]
