"""Statements of closed months, and what closing one leaves: neither is ever changed."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

APPEND_ONLY = """
CREATE TRIGGER statements_stay BEFORE UPDATE OR DELETE ON billing_statement
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER lines_of_statements_stay BEFORE UPDATE OR DELETE ON billing_statementline
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER statements_are_never_emptied BEFORE TRUNCATE ON billing_statement
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER lines_of_statements_are_never_emptied BEFORE TRUNCATE ON billing_statementline
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER closed_months_are_never_emptied BEFORE TRUNCATE ON billing_accountingperiod
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE FUNCTION billing_refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a closed month stays closed' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER closed_months_stay BEFORE UPDATE OR DELETE ON billing_accountingperiod
    FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION billing_refuse_closed();
"""
NO_TRIGGERS = """
DROP TRIGGER closed_months_are_never_emptied ON billing_accountingperiod;
DROP TRIGGER lines_of_statements_are_never_emptied ON billing_statementline;
DROP TRIGGER statements_are_never_emptied ON billing_statement;
DROP TRIGGER closed_months_stay ON billing_accountingperiod;
DROP FUNCTION billing_refuse_closed();
DROP TRIGGER lines_of_statements_stay ON billing_statementline;
DROP TRIGGER statements_stay ON billing_statement;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0008_prices_and_ledger"),
        ("members", "0002_committee"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Statement",
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
                ("used_cents", models.BigIntegerField(verbose_name="used at others’")),
                (
                    "served_cents",
                    models.BigIntegerField(verbose_name="served to others, less the fee"),
                ),
                (
                    "granted_cents",
                    models.BigIntegerField(verbose_name="paid by what it was granted"),
                ),
                ("net_cents", models.BigIntegerField(verbose_name="to receive, or to pay")),
                ("lines_hash", models.CharField(max_length=64, verbose_name="SHA-256")),
            ],
            options={
                "verbose_name": "statement",
                "verbose_name_plural": "statements",
                "ordering": ("period_id", "institution_id"),
            },
        ),
        migrations.CreateModel(
            name="StatementLine",
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
                ("position", models.PositiveIntegerField(verbose_name="position")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("used", "used"),
                            ("served", "served"),
                            ("fee", "fee"),
                            ("correction_used", "correction of what was used"),
                            ("correction_served", "correction of what was served"),
                        ],
                        max_length=24,
                        verbose_name="kind",
                    ),
                ),
                (
                    "other_name",
                    models.CharField(blank=True, max_length=200, verbose_name="other institution"),
                ),
                ("model_name", models.CharField(blank=True, max_length=200, verbose_name="model")),
                ("origin_month", models.DateField(null=True, verbose_name="month of the requests")),
                (
                    "unit",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("prompt", "tokens read"),
                            ("cached", "tokens from a cache"),
                            ("completion", "tokens written"),
                            ("embedding", "tokens of embeddings"),
                        ],
                        max_length=16,
                        verbose_name="unit",
                    ),
                ),
                ("quantity", models.BigIntegerField(default=0, verbose_name="quantity")),
                ("unit_nano", models.BigIntegerField(default=0, verbose_name="nano-euros a unit")),
                ("exact_nano", models.BigIntegerField(verbose_name="nano-euros")),
                ("cents", models.BigIntegerField(verbose_name="cents")),
            ],
            options={
                "verbose_name": "line of a statement",
                "verbose_name_plural": "lines of statements",
                "ordering": ("statement_id", "position"),
            },
        ),
        migrations.AddField(
            model_name="accountingperiod",
            name="closed_at",
            field=models.DateTimeField(null=True, verbose_name="closed"),
        ),
        migrations.AddField(
            model_name="accountingperiod",
            name="closed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="closed by",
            ),
        ),
        migrations.AddField(
            model_name="accountingperiod",
            name="drafted_at",
            field=models.DateTimeField(null=True, verbose_name="in draft since"),
        ),
        migrations.AddField(
            model_name="accountingperiod",
            name="statements_hash",
            field=models.CharField(blank=True, max_length=64, verbose_name="SHA-256"),
        ),
        migrations.AddConstraint(
            model_name="accountingperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("closed_at__isnull", False),
                        ("state", "closed"),
                        models.Q(("statements_hash", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("state", "closed"), _negated=True),
                        ("closed_at", None),
                        ("statements_hash", ""),
                    ),
                    _connector="OR",
                ),
                name="a_closed_period_is_hashed",
            ),
        ),
        migrations.AddField(
            model_name="statement",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="statements",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="statement",
            name="period",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="statements",
                to="billing.accountingperiod",
                verbose_name="month",
            ),
        ),
        migrations.AddField(
            model_name="statementline",
            name="statement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.statement",
                verbose_name="statement",
            ),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.UniqueConstraint(
                fields=("period", "institution"), name="an_institution_has_one_statement_a_month"
            ),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "net_cents",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("served_cents"), "-", models.F("used_cents")
                            ),
                            "+",
                            models.F("granted_cents"),
                        ),
                    )
                ),
                name="a_statement_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="statementline",
            constraint=models.UniqueConstraint(
                fields=("statement", "position"), name="a_line_has_a_place_of_its_own"
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, NO_TRIGGERS),
    ]
