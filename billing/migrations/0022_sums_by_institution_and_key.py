"""Sums by institutions and models alone, and by keys alone: exact from the first moment, from the whole sums."""

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
OF_INSTITUTIONS = "asking_institution_id, serving_institution_id, model_id, status, factors"
OF_KEYS = "asking_institution_id, key_id, application_id, status"
FROM = (
    ("billing_institutionday", "billing_usageday", OF_INSTITUTIONS),
    ("billing_institutionmonth", "billing_usagemonth", OF_INSTITUTIONS),
    ("billing_keyday", "billing_usageday", OF_KEYS),
    ("billing_keymonth", "billing_usagemonth", OF_KEYS),
)


def sum_up(apps, schema_editor):
    """Rows grow in place: room is left in each page, so that an update need not touch the indexes."""
    sums = ", ".join(f"sum({column})" for column in SUMS)
    for table, whole, key in FROM:
        schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
        schema_editor.execute(
            f"INSERT INTO {table} (since, {key}, {', '.join(SUMS)})"
            f" SELECT since, {key}, {sums} FROM {whole} GROUP BY since, {key}"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0021_accounts_by_month"),
    ]

    operations = [
        migrations.CreateModel(
            name="InstitutionDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
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
                "verbose_name": "institutions’ usage of a day",
                "verbose_name_plural": "institutions’ usage by day",
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["asking_institution_id", "since"], name="institutionday_by_asking"
                    ),
                    models.Index(
                        fields=["serving_institution_id", "since"], name="institutionday_by_serving"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "serving_institution_id",
                            "model_id",
                            "status",
                            "factors",
                        ),
                        name="institutionday_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="institutionday_counts"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="InstitutionMonth",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
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
                "verbose_name": "institutions’ usage of a month",
                "verbose_name_plural": "institutions’ usage by month",
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["asking_institution_id", "since"], name="institutionmonth_by_asking"
                    ),
                    models.Index(
                        fields=["serving_institution_id", "since"],
                        name="institutionmonth_by_serving",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "serving_institution_id",
                            "model_id",
                            "status",
                            "factors",
                        ),
                        name="institutionmonth_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="institutionmonth_counts"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KeyDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
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
                ("key_id", models.UUIDField(verbose_name="API key")),
                ("application_id", models.UUIDField(verbose_name="application")),
                ("since", models.DateField(verbose_name="day")),
            ],
            options={
                "verbose_name": "a key’s usage of a day",
                "verbose_name_plural": "keys’ usage by day",
                "abstract": False,
                "indexes": [
                    models.Index(fields=["asking_institution_id", "since"], name="keyday_by_asking")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "key_id",
                            "application_id",
                            "status",
                        ),
                        name="keyday_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="keyday_counts"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KeyMonth",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
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
                ("key_id", models.UUIDField(verbose_name="API key")),
                ("application_id", models.UUIDField(verbose_name="application")),
                ("since", models.DateField(verbose_name="first day of the month")),
            ],
            options={
                "verbose_name": "a key’s usage of a month",
                "verbose_name_plural": "keys’ usage by month",
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["asking_institution_id", "since"], name="keymonth_by_asking"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "key_id",
                            "application_id",
                            "status",
                        ),
                        name="keymonth_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="keymonth_counts"
                    ),
                ],
            },
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop, elidable=False),
    ]
