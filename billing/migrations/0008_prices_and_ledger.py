"""Prices, fees, accounts and transfers. Requests of before have no price: they are counted, not charged."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

APPEND_ONLY = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE FUNCTION billing_refuse_begun() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.valid_from > now() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is never changed once it has begun', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER transfers_are_append_only BEFORE UPDATE OR DELETE ON billing_transfer
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER transfers_are_never_emptied BEFORE TRUNCATE ON billing_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER prices_are_never_emptied BEFORE TRUNCATE ON billing_priceversion
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER fees_are_never_emptied BEFORE TRUNCATE ON billing_feeversion
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER prices_stay BEFORE UPDATE OR DELETE ON billing_priceversion
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_begun();
CREATE TRIGGER fees_stay BEFORE UPDATE OR DELETE ON billing_feeversion
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_begun();
ALTER TABLE billing_usagecharge SET (fillfactor = 70);
"""
NO_TRIGGERS = """
DROP TRIGGER fees_are_never_emptied ON billing_feeversion;
DROP TRIGGER prices_are_never_emptied ON billing_priceversion;
DROP TRIGGER transfers_are_never_emptied ON billing_transfer;
DROP TRIGGER fees_stay ON billing_feeversion;
DROP TRIGGER prices_stay ON billing_priceversion;
DROP TRIGGER transfers_are_append_only ON billing_transfer;
DROP FUNCTION billing_refuse_begun();
DROP FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_rollups"),
        ("catalogue", "0008_categories"),
        ("journal", "0004_no_truncation"),
        ("members", "0002_committee"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="usageday",
            name="cost_nano",
            field=models.BigIntegerField(default=0, verbose_name="cost in nano-euros"),
        ),
        migrations.AddField(
            model_name="usageday",
            name="fee_nano",
            field=models.BigIntegerField(default=0, verbose_name="of which the fee"),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="cost_nano",
            field=models.BigIntegerField(default=0, verbose_name="cost in nano-euros"),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="fee_nano",
            field=models.BigIntegerField(default=0, verbose_name="of which the fee"),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="cost_nano",
            field=models.BigIntegerField(default=0, verbose_name="cost in nano-euros"),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="fee_nano",
            field=models.BigIntegerField(default=0, verbose_name="of which the fee"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="booked_month",
            field=models.DateField(
                help_text="none for what does not count as served",
                null=True,
                verbose_name="month of the accounts",
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="cost_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="cost in nano-euros"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="fee_nano",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="of which the fee"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="posting_id",
            field=models.UUIDField(null=True, verbose_name="posting"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="price_id",
            field=models.UUIDField(null=True, verbose_name="price"),
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "code",
                    models.CharField(
                        max_length=64, primary_key=True, serialize=False, verbose_name="code"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("consumer", "what it uses"),
                            ("host", "what it serves"),
                            ("allocation", "what it is granted"),
                            ("fee", "the federation’s fees"),
                            ("reserve", "the federation’s reserve"),
                            ("rounding", "roundings"),
                            ("suspense", "of unknown institutions"),
                        ],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "institution",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
            ],
            options={
                "verbose_name": "account",
                "verbose_name_plural": "accounts",
            },
        ),
        migrations.CreateModel(
            name="AccountingPeriod",
            fields=[
                (
                    "month",
                    models.DateField(primary_key=True, serialize=False, verbose_name="month"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("grace", "draft"), ("closed", "closed")],
                        default="open",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
            ],
            options={
                "verbose_name": "month of the accounts",
                "verbose_name_plural": "months of the accounts",
                "ordering": ("month",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="a_period_is_a_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "grace", "closed"])),
                        name="a_period_has_a_state",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FeeVersion",
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
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                (
                    "basis_points",
                    models.PositiveIntegerField(
                        validators=[django.core.validators.MaxValueValidator(10000)],
                        verbose_name="basis points",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                (
                    "institution",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fees",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="set by",
                    ),
                ),
            ],
            options={
                "verbose_name": "fee",
                "verbose_name_plural": "fees",
                "ordering": ("-valid_from",),
            },
        ),
        migrations.CreateModel(
            name="PriceVersion",
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
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                (
                    "kind",
                    models.CharField(
                        choices=[("provisional", "provisional"), ("final", "final")],
                        default="provisional",
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "prompt_nano",
                    models.BigIntegerField(blank=True, null=True, verbose_name="prompt token"),
                ),
                (
                    "cached_nano",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="prompt token found in a cache"
                    ),
                ),
                (
                    "completion_nano",
                    models.BigIntegerField(blank=True, null=True, verbose_name="completion token"),
                ),
                (
                    "embedding_nano",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="token of an embedding"
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prices",
                        to="catalogue.aimodel",
                        verbose_name="model",
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="set by",
                    ),
                ),
            ],
            options={
                "verbose_name": "price",
                "verbose_name_plural": "prices",
                "ordering": ("model_id", "-valid_from"),
            },
        ),
        migrations.CreateModel(
            name="Transfer",
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
                ("key", models.CharField(max_length=200, unique=True, verbose_name="key")),
                ("amount_nano", models.BigIntegerField(verbose_name="amount in nano-euros")),
                ("booked_month", models.DateField(verbose_name="month")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("usage", "usage"),
                            ("fee", "fee"),
                            ("grant", "grant"),
                            ("grant_used", "grant used"),
                            ("grant_lapsed", "grant lapsed"),
                            ("reversal", "reversal"),
                            ("rounding", "rounding"),
                        ],
                        max_length=16,
                        verbose_name="reason",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                ("posting_id", models.UUIDField(null=True, verbose_name="posting")),
                (
                    "credit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credits",
                        to="billing.account",
                        verbose_name="to",
                    ),
                ),
                (
                    "debit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="debits",
                        to="billing.account",
                        verbose_name="from",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversal",
                        to="billing.transfer",
                        verbose_name="reverses",
                    ),
                ),
            ],
            options={
                "verbose_name": "transfer",
                "verbose_name_plural": "transfers",
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="UsageCharge",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("booked_month", models.DateField(verbose_name="month of the accounts")),
                ("origin_month", models.DateField(verbose_name="month of the requests")),
                ("asking_institution_id", models.UUIDField(verbose_name="asking institution")),
                (
                    "serving_institution_id",
                    models.UUIDField(null=True, verbose_name="serving institution"),
                ),
                ("model_id", models.UUIDField(verbose_name="model")),
                ("price_id", models.UUIDField(null=True, verbose_name="price")),
                ("requests", models.BigIntegerField(verbose_name="requests")),
                (
                    "prompt_tokens",
                    models.BigIntegerField(verbose_name="prompt tokens, none of a cache"),
                ),
                ("cached_tokens", models.BigIntegerField(verbose_name="prompt tokens of a cache")),
                ("completion_tokens", models.BigIntegerField(verbose_name="completion tokens")),
                ("embedding_tokens", models.BigIntegerField(verbose_name="tokens of embeddings")),
                ("cost_nano", models.BigIntegerField(verbose_name="cost in nano-euros")),
                ("fee_nano", models.BigIntegerField(verbose_name="of which the fee")),
            ],
            options={
                "verbose_name": "charge",
                "verbose_name_plural": "charges",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "booked_month",
                            "origin_month",
                            "asking_institution_id",
                            "serving_institution_id",
                            "model_id",
                            "price_id",
                        ),
                        name="a_charge_is_one_sum",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                fields=("kind", "institution"),
                name="an_institution_has_one_account_of_a_kind",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("institution__isnull", False),
                        ("kind__in", ("consumer", "host", "allocation")),
                    ),
                    models.Q(
                        models.Q(("kind__in", ("consumer", "host", "allocation")), _negated=True),
                        ("institution__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="an_account_is_an_institutions_or_the_federations",
            ),
        ),
        migrations.AddConstraint(
            model_name="feeversion",
            constraint=models.UniqueConstraint(
                fields=("institution", "valid_from"),
                name="an_institution_has_one_fee_at_a_time",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="feeversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("basis_points__lte", 10000)), name="a_fee_is_at_most_all_of_it"
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.UniqueConstraint(
                fields=("model", "valid_from"), name="a_model_has_one_price_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("prompt_nano__isnull", True),
                    ("prompt_nano__range", (0, 1000000000)),
                    _connector="OR",
                ),
                name="a_price_of_prompt_is_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cached_nano__isnull", True),
                    ("cached_nano__range", (0, 1000000000)),
                    _connector="OR",
                ),
                name="a_price_of_cached_is_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("completion_nano__isnull", True),
                    ("completion_nano__range", (0, 1000000000)),
                    _connector="OR",
                ),
                name="a_price_of_completion_is_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("embedding_nano__isnull", True),
                    ("embedding_nano__range", (0, 1000000000)),
                    _connector="OR",
                ),
                name="a_price_of_embedding_is_possible",
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["debit", "booked_month"], name="transfers_from"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["credit", "booked_month"], name="transfers_to"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["posting_id"], name="transfers_of_a_posting"),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_nano__gt", 0)), name="a_transfer_moves_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("debit", models.F("credit")), _negated=True),
                name="a_transfer_has_two_sides",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("booked_month__day", 1)), name="a_transfer_lies_in_a_month"
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, NO_TRIGGERS),
    ]
