"""The usage tables, partitioned by month of the request's id from their first day.

Django cannot write PARTITION BY: the tables are plain SQL, the state beside it is what Django knows of them
(`tests/integration/billing` compares the two). Rows of a month without a partition go to DEFAULT.
"""

from datetime import UTC, datetime

from django.db import migrations, models

import routing.core.ids

FORWARD = """
CREATE TABLE billing_usagerecord (
    id uuid NOT NULL PRIMARY KEY,
    client_request_id varchar(128) NOT NULL,
    key_id uuid NOT NULL,
    application_id uuid NOT NULL,
    asking_institution_id uuid NOT NULL,
    serving_institution_id uuid,
    server_id uuid,
    deployment_id uuid,
    model_id uuid NOT NULL,
    model_asked varchar(200) NOT NULL,
    model_served varchar(200) NOT NULL,
    endpoint varchar(64) NOT NULL,
    stream boolean NOT NULL,
    priority smallint NOT NULL,
    prompt_tokens integer NOT NULL,
    cached_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    reasoning_tokens integer NOT NULL,
    usage_source varchar(16) NOT NULL,
    received_at timestamptz NOT NULL,
    first_token_at timestamptz,
    finished_at timestamptz NOT NULL,
    status varchar(16) NOT NULL,
    http_status smallint NOT NULL,
    error_code varchar(64) NOT NULL,
    attempts smallint NOT NULL,
    is_demo boolean NOT NULL,
    CONSTRAINT tokens_are_never_negative CHECK (
        prompt_tokens >= 0 AND cached_tokens >= 0 AND completion_tokens >= 0 AND reasoning_tokens >= 0
    ),
    CONSTRAINT a_request_lies_in_our_times CHECK (
        received_at BETWEEN '2000-01-01 00:00+00' AND '2200-01-01 00:00+00'
        AND finished_at BETWEEN '2000-01-01 00:00+00' AND '2200-01-01 00:00+00'
        AND (first_token_at IS NULL OR first_token_at BETWEEN '2000-01-01 00:00+00' AND '2200-01-01 00:00+00')
    )
) PARTITION BY RANGE (id);
CREATE INDEX usage_by_key ON billing_usagerecord (key_id, id);
CREATE INDEX usage_by_asking ON billing_usagerecord (asking_institution_id, id);
CREATE INDEX usage_by_serving ON billing_usagerecord (serving_institution_id, id);
CREATE TABLE billing_usagerecord_default PARTITION OF billing_usagerecord DEFAULT;

CREATE TABLE billing_attempt (
    request_id uuid NOT NULL,
    n smallint NOT NULL,
    server_id uuid NOT NULL,
    deployment_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    outcome varchar(64) NOT NULL,
    PRIMARY KEY (request_id, n),
    CONSTRAINT an_attempt_lies_in_our_times CHECK (
        started_at BETWEEN '2000-01-01 00:00+00' AND '2200-01-01 00:00+00'
    )
) PARTITION BY RANGE (request_id);
CREATE TABLE billing_attempt_default PARTITION OF billing_attempt DEFAULT;
"""
OUR_TIMES = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
BACKWARD = """
DROP TABLE billing_attempt;
DROP TABLE billing_usagerecord;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, BACKWARD)],
            state_operations=[
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "request_id",
                                "n",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("request_id", models.UUIDField(verbose_name="request")),
                        ("n", models.SmallIntegerField(verbose_name="attempt")),
                        ("server_id", models.UUIDField(verbose_name="inference server")),
                        ("deployment_id", models.UUIDField(verbose_name="deployment")),
                        ("started_at", models.DateTimeField(verbose_name="started")),
                        ("outcome", models.CharField(max_length=64, verbose_name="outcome")),
                    ],
                    options={
                        "verbose_name": "attempt",
                        "verbose_name_plural": "attempts",
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("started_at__range", OUR_TIMES)),
                                name="an_attempt_lies_in_our_times",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsageRecord",
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
                        (
                            "client_request_id",
                            models.CharField(
                                blank=True, max_length=128, verbose_name="client's identifier"
                            ),
                        ),
                        ("key_id", models.UUIDField(verbose_name="API key")),
                        ("application_id", models.UUIDField(verbose_name="application")),
                        (
                            "asking_institution_id",
                            models.UUIDField(verbose_name="asking institution"),
                        ),
                        (
                            "serving_institution_id",
                            models.UUIDField(null=True, verbose_name="serving institution"),
                        ),
                        ("server_id", models.UUIDField(null=True, verbose_name="inference server")),
                        ("deployment_id", models.UUIDField(null=True, verbose_name="deployment")),
                        ("model_id", models.UUIDField(verbose_name="model")),
                        (
                            "model_asked",
                            models.CharField(max_length=200, verbose_name="model asked for"),
                        ),
                        (
                            "model_served",
                            models.CharField(
                                blank=True, max_length=200, verbose_name="model served"
                            ),
                        ),
                        ("endpoint", models.CharField(max_length=64, verbose_name="endpoint")),
                        ("stream", models.BooleanField(verbose_name="streamed")),
                        ("priority", models.SmallIntegerField(verbose_name="class")),
                        ("prompt_tokens", models.IntegerField(verbose_name="prompt tokens")),
                        ("cached_tokens", models.IntegerField(verbose_name="cached tokens")),
                        (
                            "completion_tokens",
                            models.IntegerField(verbose_name="completion tokens"),
                        ),
                        ("reasoning_tokens", models.IntegerField(verbose_name="reasoning tokens")),
                        (
                            "usage_source",
                            models.CharField(
                                choices=[
                                    ("server", "told by the server"),
                                    ("counted", "counted on the way"),
                                    ("estimated", "estimated"),
                                    ("none", "none"),
                                ],
                                max_length=16,
                                verbose_name="source of the count",
                            ),
                        ),
                        ("received_at", models.DateTimeField(verbose_name="received")),
                        (
                            "first_token_at",
                            models.DateTimeField(null=True, verbose_name="first token"),
                        ),
                        ("finished_at", models.DateTimeField(verbose_name="finished")),
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
                        ("http_status", models.SmallIntegerField(verbose_name="HTTP status")),
                        (
                            "error_code",
                            models.CharField(blank=True, max_length=64, verbose_name="error"),
                        ),
                        ("attempts", models.SmallIntegerField(verbose_name="attempts")),
                        (
                            "is_demo",
                            models.BooleanField(default=False, verbose_name="demonstration data"),
                        ),
                    ],
                    options={
                        "verbose_name": "usage record",
                        "verbose_name_plural": "usage records",
                        "indexes": [
                            models.Index(fields=["key_id", "id"], name="usage_by_key"),
                            models.Index(
                                fields=["asking_institution_id", "id"], name="usage_by_asking"
                            ),
                            models.Index(
                                fields=["serving_institution_id", "id"], name="usage_by_serving"
                            ),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("cached_tokens__gte", 0),
                                    ("completion_tokens__gte", 0),
                                    ("prompt_tokens__gte", 0),
                                    ("reasoning_tokens__gte", 0),
                                ),
                                name="tokens_are_never_negative",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("finished_at__range", OUR_TIMES),
                                    ("received_at__range", OUR_TIMES),
                                    models.Q(
                                        ("first_token_at__isnull", True),
                                        ("first_token_at__range", OUR_TIMES),
                                        _connector="OR",
                                    ),
                                ),
                                name="a_request_lies_in_our_times",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
