"""Sums by hour, day and month: exact from the first moment, as what is stored already is summed here."""

from django.db import migrations, models

WAITS_MS = (100, 200, 350, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000, 30_000)
LEVELS = {
    "billing_usagehour": "date_trunc('hour', finished_at, 'UTC')",
    "billing_usageday": "(finished_at AT TIME ZONE 'Europe/Paris')::date",
    "billing_usagemonth": "date_trunc('month', finished_at AT TIME ZONE 'Europe/Paris')::date",
}
WAIT = "extract(epoch FROM first_token_at - received_at) * 1000"
KEY = (
    "asking_institution_id, serving_institution_id, key_id, application_id, model_id, server_id,"
    " status"
)


def sum_up(apps, schema_editor):
    """Rows grow in place: room is left in each page, so that an update need not touch the indexes."""
    waits, low = {}, -1_000_000_000
    for high in WAITS_MS:
        waits[f"wait_{high}"] = f"count(*) FILTER (WHERE {WAIT} > {low} AND {WAIT} <= {high})"
        low = high
    for table, since in LEVELS.items():
        schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")
        schema_editor.execute(
            f"INSERT INTO {table} (since, {KEY}, requests, prompt_tokens, cached_tokens,"
            f" completion_tokens, reasoning_tokens, duration_ms, first_tokens, {', '.join(waits)})"
            f" SELECT {since} AS moment, {KEY}, count(*), sum(prompt_tokens), sum(cached_tokens),"
            " sum(completion_tokens), sum(reasoning_tokens),"
            " sum(greatest(0, extract(epoch FROM finished_at - received_at) * 1000)::bigint),"
            f" count(first_token_at), {', '.join(waits.values())}"
            f" FROM billing_usagerecord GROUP BY moment, {KEY}"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_asked_model"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
                (
                    "serving_institution_id",
                    models.UUIDField(null=True, verbose_name="serving institution"),
                ),
                ("key_id", models.UUIDField(verbose_name="API key")),
                ("application_id", models.UUIDField(verbose_name="application")),
                ("model_id", models.UUIDField(verbose_name="model")),
                ("server_id", models.UUIDField(null=True, verbose_name="inference server")),
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
                ("since", models.DateField(verbose_name="day")),
            ],
            options={
                "verbose_name": "usage of a day",
                "verbose_name_plural": "usage by day",
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key_id", "since"], name="usageday_by_key"),
                    models.Index(
                        fields=["asking_institution_id", "since"], name="usageday_by_asking"
                    ),
                    models.Index(
                        fields=["serving_institution_id", "since"], name="usageday_by_serving"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "serving_institution_id",
                            "key_id",
                            "application_id",
                            "model_id",
                            "server_id",
                            "status",
                        ),
                        name="usageday_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="usageday_counts"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageHour",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
                (
                    "serving_institution_id",
                    models.UUIDField(null=True, verbose_name="serving institution"),
                ),
                ("key_id", models.UUIDField(verbose_name="API key")),
                ("application_id", models.UUIDField(verbose_name="application")),
                ("model_id", models.UUIDField(verbose_name="model")),
                ("server_id", models.UUIDField(null=True, verbose_name="inference server")),
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
                ("since", models.DateTimeField(verbose_name="hour")),
            ],
            options={
                "verbose_name": "usage of an hour",
                "verbose_name_plural": "usage by hour",
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key_id", "since"], name="usagehour_by_key"),
                    models.Index(
                        fields=["asking_institution_id", "since"], name="usagehour_by_asking"
                    ),
                    models.Index(
                        fields=["serving_institution_id", "since"], name="usagehour_by_serving"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "serving_institution_id",
                            "key_id",
                            "application_id",
                            "model_id",
                            "server_id",
                            "status",
                        ),
                        name="usagehour_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="usagehour_counts"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageMonth",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
                (
                    "serving_institution_id",
                    models.UUIDField(null=True, verbose_name="serving institution"),
                ),
                ("key_id", models.UUIDField(verbose_name="API key")),
                ("application_id", models.UUIDField(verbose_name="application")),
                ("model_id", models.UUIDField(verbose_name="model")),
                ("server_id", models.UUIDField(null=True, verbose_name="inference server")),
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
                ("since", models.DateField(verbose_name="first day of the month")),
            ],
            options={
                "verbose_name": "usage of a month",
                "verbose_name_plural": "usage by month",
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key_id", "since"], name="usagemonth_by_key"),
                    models.Index(
                        fields=["asking_institution_id", "since"], name="usagemonth_by_asking"
                    ),
                    models.Index(
                        fields=["serving_institution_id", "since"], name="usagemonth_by_serving"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "since",
                            "asking_institution_id",
                            "serving_institution_id",
                            "key_id",
                            "application_id",
                            "model_id",
                            "server_id",
                            "status",
                        ),
                        name="usagemonth_is_one_sum",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("requests__gte", 0)), name="usagemonth_counts"
                    ),
                ],
            },
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop),
    ]
