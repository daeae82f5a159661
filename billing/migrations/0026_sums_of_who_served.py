"""Sums of who served, whoever asked: exact from the first moment, from the sums by institutions."""

from django.db import migrations, models

WAITS_MS = (100, 200, 350, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000, 30_000)
SUMS = (
    "requests",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost_nano",
    "fee_nano",
    "own_nano",
    "energy_mj",
    "energy_low_mj",
    "energy_high_mj",
    "metered_mj",
    "unknown_energy",
    "gpu_ms",
    "duration_ms",
    "first_tokens",
    "audio_ms",
    "images",
    *(f"wait_{bound}" for bound in WAITS_MS),
)
KEY = "serving_institution_id, model_id, status, factors"
FROM = (
    ("billing_servingday", "billing_institutionday"),
    ("billing_servingmonth", "billing_institutionmonth"),
)


def sum_up(apps, schema_editor):
    """Rows grow in place: room is left in each page, so that an update need not touch the indexes."""
    sums = ", ".join(f"sum({column})" for column in SUMS)
    for table, whole in FROM:
        schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
        schema_editor.execute(
            f"INSERT INTO {table} (since, {KEY}, {', '.join(SUMS)})"
            f" SELECT since, {KEY}, {sums} FROM {whole} GROUP BY since, {KEY}"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0025_own_cost"),
    ]

    operations = [
        migrations.CreateModel(
            name="ServingDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("ok", "answered"),
                            ("client_error", "request refused as wrong"),
                            ("server_error", "server error"),
                            ("refused", "no server available"),
                            ("abandoned", "client left"),
                            ("interrupted", "interrupted"),
                        ],
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                ("requests", models.BigIntegerField(default=0, verbose_name="requests")),
                ("prompt_tokens", models.BigIntegerField(default=0, verbose_name="prompt tokens")),
                ("cached_tokens", models.BigIntegerField(default=0, verbose_name="cached tokens")),
                (
                    "completion_tokens",
                    models.BigIntegerField(default=0, verbose_name="completion tokens"),
                ),
                (
                    "reasoning_tokens",
                    models.BigIntegerField(default=0, verbose_name="reasoning tokens"),
                ),
                ("cost_nano", models.BigIntegerField(default=0, verbose_name="cost in nano-euros")),
                ("fee_nano", models.BigIntegerField(default=0, verbose_name="of which the fee")),
                (
                    "own_nano",
                    models.BigIntegerField(
                        db_default=0,
                        default=0,
                        verbose_name="of which own servers’, which is not billed",
                    ),
                ),
                (
                    "energy_mj",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="energy of the sites, in millijoules"
                    ),
                ),
                (
                    "energy_low_mj",
                    models.BigIntegerField(db_default=0, default=0, verbose_name="at least"),
                ),
                (
                    "energy_high_mj",
                    models.BigIntegerField(db_default=0, default=0, verbose_name="at most"),
                ),
                (
                    "metered_mj",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="of which measured or calibrated"
                    ),
                ),
                (
                    "unknown_energy",
                    models.BigIntegerField(
                        db_default=0,
                        default=0,
                        verbose_name="answered requests whose energy is not known",
                    ),
                ),
                (
                    "gpu_ms",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="GPU milliseconds"
                    ),
                ),
                (
                    "duration_ms",
                    models.BigIntegerField(
                        default=0, verbose_name="milliseconds from arrival to end"
                    ),
                ),
                (
                    "first_tokens",
                    models.BigIntegerField(
                        default=0, verbose_name="requests that brought a first token"
                    ),
                ),
                (
                    "audio_ms",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="milliseconds of audio"
                    ),
                ),
                ("images", models.BigIntegerField(db_default=0, default=0, verbose_name="images")),
                ("wait_100", models.IntegerField(default=0)),
                ("wait_200", models.IntegerField(default=0)),
                ("wait_350", models.IntegerField(default=0)),
                ("wait_500", models.IntegerField(default=0)),
                ("wait_750", models.IntegerField(default=0)),
                ("wait_1000", models.IntegerField(default=0)),
                ("wait_1500", models.IntegerField(default=0)),
                ("wait_2000", models.IntegerField(default=0)),
                ("wait_3000", models.IntegerField(default=0)),
                ("wait_5000", models.IntegerField(default=0)),
                ("wait_10000", models.IntegerField(default=0)),
                ("wait_30000", models.IntegerField(default=0)),
                (
                    "serving_institution_id",
                    models.UUIDField(null=True, verbose_name="serving institution"),
                ),
                ("model_id", models.UUIDField(verbose_name="model")),
                (
                    "factors",
                    models.CharField(
                        blank=True, db_default="", max_length=16, verbose_name="factor set"
                    ),
                ),
                ("since", models.DateField(verbose_name="day")),
            ],
            options={
                "verbose_name": "what an institution served in a day",
                "verbose_name_plural": "what institutions served by day",
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["serving_institution_id", "since"], name="servingday_by_serving"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("since", "serving_institution_id", "model_id", "status", "factors"),
                        name="servingday_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="servingday_counts"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServingMonth",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("ok", "answered"),
                            ("client_error", "request refused as wrong"),
                            ("server_error", "server error"),
                            ("refused", "no server available"),
                            ("abandoned", "client left"),
                            ("interrupted", "interrupted"),
                        ],
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                ("requests", models.BigIntegerField(default=0, verbose_name="requests")),
                ("prompt_tokens", models.BigIntegerField(default=0, verbose_name="prompt tokens")),
                ("cached_tokens", models.BigIntegerField(default=0, verbose_name="cached tokens")),
                (
                    "completion_tokens",
                    models.BigIntegerField(default=0, verbose_name="completion tokens"),
                ),
                (
                    "reasoning_tokens",
                    models.BigIntegerField(default=0, verbose_name="reasoning tokens"),
                ),
                ("cost_nano", models.BigIntegerField(default=0, verbose_name="cost in nano-euros")),
                ("fee_nano", models.BigIntegerField(default=0, verbose_name="of which the fee")),
                (
                    "own_nano",
                    models.BigIntegerField(
                        db_default=0,
                        default=0,
                        verbose_name="of which own servers’, which is not billed",
                    ),
                ),
                (
                    "energy_mj",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="energy of the sites, in millijoules"
                    ),
                ),
                (
                    "energy_low_mj",
                    models.BigIntegerField(db_default=0, default=0, verbose_name="at least"),
                ),
                (
                    "energy_high_mj",
                    models.BigIntegerField(db_default=0, default=0, verbose_name="at most"),
                ),
                (
                    "metered_mj",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="of which measured or calibrated"
                    ),
                ),
                (
                    "unknown_energy",
                    models.BigIntegerField(
                        db_default=0,
                        default=0,
                        verbose_name="answered requests whose energy is not known",
                    ),
                ),
                (
                    "gpu_ms",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="GPU milliseconds"
                    ),
                ),
                (
                    "duration_ms",
                    models.BigIntegerField(
                        default=0, verbose_name="milliseconds from arrival to end"
                    ),
                ),
                (
                    "first_tokens",
                    models.BigIntegerField(
                        default=0, verbose_name="requests that brought a first token"
                    ),
                ),
                (
                    "audio_ms",
                    models.BigIntegerField(
                        db_default=0, default=0, verbose_name="milliseconds of audio"
                    ),
                ),
                ("images", models.BigIntegerField(db_default=0, default=0, verbose_name="images")),
                ("wait_100", models.IntegerField(default=0)),
                ("wait_200", models.IntegerField(default=0)),
                ("wait_350", models.IntegerField(default=0)),
                ("wait_500", models.IntegerField(default=0)),
                ("wait_750", models.IntegerField(default=0)),
                ("wait_1000", models.IntegerField(default=0)),
                ("wait_1500", models.IntegerField(default=0)),
                ("wait_2000", models.IntegerField(default=0)),
                ("wait_3000", models.IntegerField(default=0)),
                ("wait_5000", models.IntegerField(default=0)),
                ("wait_10000", models.IntegerField(default=0)),
                ("wait_30000", models.IntegerField(default=0)),
                (
                    "serving_institution_id",
                    models.UUIDField(null=True, verbose_name="serving institution"),
                ),
                ("model_id", models.UUIDField(verbose_name="model")),
                (
                    "factors",
                    models.CharField(
                        blank=True, db_default="", max_length=16, verbose_name="factor set"
                    ),
                ),
                ("since", models.DateField(verbose_name="first day of the month")),
            ],
            options={
                "verbose_name": "what an institution served in a month",
                "verbose_name_plural": "what institutions served by month",
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["serving_institution_id", "since"], name="servingmonth_by_serving"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("since", "serving_institution_id", "model_id", "status", "factors"),
                        name="servingmonth_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="servingmonth_counts"
                    ),
                ],
            },
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop, elidable=False),
    ]
