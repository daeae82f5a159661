"""Contested lines, accepted statements, credit notes, and the costs of years. Statements of before get their numbers."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

STAY = """
CREATE TRIGGER notes_stay BEFORE UPDATE OR DELETE ON billing_note
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER lines_of_notes_stay BEFORE UPDATE OR DELETE ON billing_noteline
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER acceptances_stay BEFORE UPDATE OR DELETE ON billing_acceptance
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER shares_of_years_stay BEFORE UPDATE OR DELETE ON billing_yearshare
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER posted_years_stay BEFORE UPDATE OR DELETE ON billing_costpool
    FOR EACH ROW WHEN (OLD.posted_at IS NOT NULL) EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER notes_are_never_emptied BEFORE TRUNCATE ON billing_note
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER lines_of_notes_are_never_emptied BEFORE TRUNCATE ON billing_noteline
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER acceptances_are_never_emptied BEFORE TRUNCATE ON billing_acceptance
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER shares_of_years_are_never_emptied BEFORE TRUNCATE ON billing_yearshare
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
CREATE TRIGGER years_are_never_emptied BEFORE TRUNCATE ON billing_costpool
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
"""
GO = """
DROP TRIGGER years_are_never_emptied ON billing_costpool;
DROP TRIGGER acceptances_are_never_emptied ON billing_acceptance;
DROP TRIGGER shares_of_years_are_never_emptied ON billing_yearshare;
DROP TRIGGER lines_of_notes_are_never_emptied ON billing_noteline;
DROP TRIGGER notes_are_never_emptied ON billing_note;
DROP TRIGGER posted_years_stay ON billing_costpool;
DROP TRIGGER shares_of_years_stay ON billing_yearshare;
DROP TRIGGER acceptances_stay ON billing_acceptance;
DROP TRIGGER lines_of_notes_stay ON billing_noteline;
DROP TRIGGER notes_stay ON billing_note;
"""
NUMBERS = """
ALTER TABLE billing_statement DISABLE TRIGGER statements_stay;
UPDATE billing_statement SET number = numbered.year || '-' || lpad(numbered.n::text, 5, '0')
FROM (
    SELECT statement.id, extract(year FROM closed_at AT TIME ZONE 'Europe/Paris')::int AS year, row_number() OVER (
        PARTITION BY extract(year FROM closed_at AT TIME ZONE 'Europe/Paris')
        ORDER BY closed_at, month, institution.name, institution.id
    ) AS n
    FROM billing_statement statement
    JOIN billing_accountingperiod period ON period.month = statement.period_id
    JOIN members_institution institution ON institution.id = statement.institution_id
) numbered WHERE numbered.id = billing_statement.id;
ALTER TABLE billing_statement ENABLE TRIGGER statements_stay;
INSERT INTO billing_documentseries (year, last)
SELECT split_part(number, '-', 1)::int, count(*) FROM billing_statement WHERE number <> '' GROUP BY 1;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_forgetting"),
        ("members", "0005_no_truncation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Acceptance",
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
                ("month", models.DateField(verbose_name="month")),
                ("lines_hash", models.CharField(max_length=64, verbose_name="SHA-256")),
            ],
            options={
                "verbose_name": "accepted statement",
                "verbose_name_plural": "accepted statements",
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="Contest",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("used", "used"),
                            ("served", "served"),
                            ("fee", "fee"),
                            ("correction_used", "correction of what was used"),
                            ("correction_served", "correction of what was served"),
                            ("year_used", "adjustment of what was used in the year"),
                            ("year_served", "adjustment of what was served in the year"),
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
                            ("audio", "seconds of audio"),
                            ("image", "images"),
                        ],
                        max_length=16,
                        verbose_name="unit",
                    ),
                ),
                ("quantity", models.BigIntegerField(default=0, verbose_name="quantity")),
                ("unit_nano", models.BigIntegerField(default=0, verbose_name="nano-euros a unit")),
                ("exact_nano", models.BigIntegerField(verbose_name="nano-euros")),
                ("cents", models.BigIntegerField(verbose_name="cents")),
                ("month", models.DateField(verbose_name="month")),
                ("line_key", models.CharField(max_length=16, verbose_name="line")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "to be answered"),
                            ("upheld", "upheld"),
                            ("rejected", "rejected"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="open",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("answer", models.CharField(blank=True, max_length=500, verbose_name="answer")),
                ("answered_at", models.DateTimeField(null=True, verbose_name="answered")),
            ],
            options={
                "verbose_name": "contested line",
                "verbose_name_plural": "contested lines",
                "ordering": ("-pk",),
            },
        ),
        migrations.CreateModel(
            name="CostPool",
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
                ("year", models.PositiveSmallIntegerField(unique=True, verbose_name="year")),
                ("amount_cents", models.BigIntegerField(verbose_name="cents")),
                ("evidence", models.TextField(max_length=2000, verbose_name="what proves them")),
                ("posted_at", models.DateTimeField(null=True, verbose_name="posted")),
            ],
            options={
                "verbose_name": "costs of a year",
                "verbose_name_plural": "costs of years",
                "ordering": ("-year",),
            },
        ),
        migrations.CreateModel(
            name="DocumentSeries",
            fields=[
                (
                    "year",
                    models.PositiveSmallIntegerField(
                        primary_key=True, serialize=False, verbose_name="year"
                    ),
                ),
                ("last", models.PositiveIntegerField(default=0, verbose_name="documents")),
            ],
            options={
                "verbose_name": "documents of a year",
                "verbose_name_plural": "documents by year",
            },
        ),
        migrations.CreateModel(
            name="Note",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("statement", "statement"),
                            ("credit_note", "credit note"),
                            ("true_up", "adjustment of a year"),
                        ],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("number", models.CharField(max_length=16, unique=True, verbose_name="number")),
                ("booked_month", models.DateField(verbose_name="month")),
                ("issued_on", models.DateField(verbose_name="issued on")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
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
                "verbose_name": "credit note or adjustment",
                "verbose_name_plural": "credit notes and adjustments",
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="NoteLine",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("used", "used"),
                            ("served", "served"),
                            ("fee", "fee"),
                            ("correction_used", "correction of what was used"),
                            ("correction_served", "correction of what was served"),
                            ("year_used", "adjustment of what was used in the year"),
                            ("year_served", "adjustment of what was served in the year"),
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
                            ("audio", "seconds of audio"),
                            ("image", "images"),
                        ],
                        max_length=16,
                        verbose_name="unit",
                    ),
                ),
                ("quantity", models.BigIntegerField(default=0, verbose_name="quantity")),
                ("unit_nano", models.BigIntegerField(default=0, verbose_name="nano-euros a unit")),
                ("exact_nano", models.BigIntegerField(verbose_name="nano-euros")),
                ("cents", models.BigIntegerField(verbose_name="cents")),
                ("position", models.PositiveIntegerField(verbose_name="position")),
            ],
            options={
                "verbose_name": "line of a credit note",
                "verbose_name_plural": "lines of credit notes",
                "ordering": ("note_id", "position"),
            },
        ),
        migrations.CreateModel(
            name="YearShare",
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
                (
                    "used_nano",
                    models.BigIntegerField(
                        verbose_name="used at provisional prices, in nano-euros"
                    ),
                ),
                ("billed_cents", models.BigIntegerField(verbose_name="billed for what was used")),
                ("final_cents", models.BigIntegerField(verbose_name="share of the costs")),
                (
                    "served_nano",
                    models.BigIntegerField(
                        verbose_name="served at provisional prices, in nano-euros"
                    ),
                ),
                ("paid_cents", models.BigIntegerField(verbose_name="paid for what was served")),
                ("earned_cents", models.BigIntegerField(verbose_name="final earnings")),
            ],
            options={
                "verbose_name": "share of a year’s costs",
                "verbose_name_plural": "shares of years’ costs",
                "ordering": ("pool_id", "pk"),
            },
        ),
        migrations.AddField(
            model_name="statement",
            name="number",
            field=models.CharField(blank=True, db_default="", max_length=16, verbose_name="number"),
        ),
        migrations.AlterField(
            model_name="statementline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("used", "used"),
                    ("served", "served"),
                    ("fee", "fee"),
                    ("correction_used", "correction of what was used"),
                    ("correction_served", "correction of what was served"),
                    ("year_used", "adjustment of what was used in the year"),
                    ("year_served", "adjustment of what was served in the year"),
                ],
                max_length=24,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="reason",
            field=models.CharField(
                choices=[
                    ("usage", "usage"),
                    ("fee", "fee"),
                    ("grant", "grant"),
                    ("grant_used", "grant used"),
                    ("grant_lapsed", "grant lapsed"),
                    ("reversal", "reversal"),
                    ("rounding", "rounding"),
                    ("merger", "merger of institutions"),
                    ("correction", "correction"),
                    ("grant_back", "grant given back"),
                    ("true_up", "adjustment of a year"),
                ],
                max_length=16,
                verbose_name="reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("number", ""), _negated=True),
                fields=("number",),
                name="a_number_is_given_once",
            ),
        ),
        migrations.AddField(
            model_name="acceptance",
            name="accepted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="accepted by",
            ),
        ),
        migrations.AddField(
            model_name="acceptance",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="acceptances",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="contest",
            name="answered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="answered by",
            ),
        ),
        migrations.AddField(
            model_name="contest",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="contests",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="contest",
            name="made_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="made by",
            ),
        ),
        migrations.AddField(
            model_name="costpool",
            name="entered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="entered by",
            ),
        ),
        migrations.AddField(
            model_name="costpool",
            name="posted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="posted by",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="contest",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notes",
                to="billing.contest",
                verbose_name="contested line",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notes",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="made_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="made by",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="pool",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notes",
                to="billing.costpool",
                verbose_name="costs of a year",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="statement",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notes",
                to="billing.statement",
                verbose_name="statement",
            ),
        ),
        migrations.AddField(
            model_name="noteline",
            name="note",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.note",
                verbose_name="credit note or adjustment",
            ),
        ),
        migrations.AddField(
            model_name="noteline",
            name="transfer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.transfer",
                verbose_name="transfer",
            ),
        ),
        migrations.AddField(
            model_name="yearshare",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="year_shares",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="yearshare",
            name="pool",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="shares",
                to="billing.costpool",
                verbose_name="costs of a year",
            ),
        ),
        migrations.AddConstraint(
            model_name="acceptance",
            constraint=models.UniqueConstraint(
                fields=("institution", "month", "lines_hash"), name="a_statement_is_accepted_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="contest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("institution", "month", "line_key"),
                name="a_line_has_one_open_contest",
            ),
        ),
        migrations.AddConstraint(
            model_name="contest",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "upheld", "rejected", "withdrawn"])),
                name="a_contest_has_a_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="contest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answered_at", None), ("state", "open")),
                    models.Q(
                        models.Q(("state", "open"), _negated=True), ("answered_at__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="an_answered_contest_has_its_moment",
            ),
        ),
        migrations.AddConstraint(
            model_name="costpool",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_cents__gte", 0)), name="a_year_costs_nothing_or_more"
            ),
        ),
        migrations.AddConstraint(
            model_name="costpool",
            constraint=models.CheckConstraint(
                condition=models.Q(("year__range", (2020, 2100))), name="costs_are_of_a_year"
            ),
        ),
        migrations.AddConstraint(
            model_name="note",
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
                name="a_note_adds_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="note",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "credit_note"), ("pool", None), ("statement__isnull", False)),
                    models.Q(("kind", "true_up"), ("pool__isnull", False), ("statement", None)),
                    _connector="OR",
                ),
                name="a_note_corrects_a_statement_or_a_year",
            ),
        ),
        migrations.AddConstraint(
            model_name="note",
            constraint=models.UniqueConstraint(
                fields=("pool", "institution"), name="an_institution_has_one_adjustment_a_year"
            ),
        ),
        migrations.AddConstraint(
            model_name="noteline",
            constraint=models.UniqueConstraint(
                fields=("note", "position"), name="a_line_of_a_note_has_its_own_place"
            ),
        ),
        migrations.AddConstraint(
            model_name="noteline",
            constraint=models.UniqueConstraint(
                fields=("note", "transfer"), name="a_transfer_stands_once_in_a_note"
            ),
        ),
        migrations.AddConstraint(
            model_name="yearshare",
            constraint=models.UniqueConstraint(
                fields=("pool", "institution"), name="an_institution_has_one_share_a_year"
            ),
        ),
        migrations.RunSQL(STAY, GO),
        migrations.RunSQL(NUMBERS, migrations.RunSQL.noop),
    ]
