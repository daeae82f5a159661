"""Sums of transfers by account and month, of those of before too; and transfers found in the order of their making."""

import django.db.models.deletion
from django.db import migrations, models

FILLED = """
INSERT INTO billing_accountmonth (account_id, month, received_nano, given_nano, own_nano)
SELECT account_id, month, sum(received)::bigint, sum(given)::bigint, sum(own)::bigint
FROM (
    SELECT credit_id AS account_id, booked_month AS month, amount_nano AS received, 0 AS given, 0 AS own
    FROM billing_transfer
    UNION ALL
    SELECT debit_id, booked_month, 0, amount_nano, 0 FROM billing_transfer
    UNION ALL
    SELECT coalesce((SELECT code FROM billing_account WHERE code = 'consumer:' || asking_institution_id), 'suspense'),
        booked_month, 0, 0, CASE WHEN asking_institution_id = serving_institution_id THEN cost_nano ELSE 0 END
    FROM billing_usagecharge
    UNION ALL
    SELECT coalesce((SELECT code FROM billing_account WHERE code = 'host:' || serving_institution_id), 'suspense'),
        booked_month, 0, 0, 0
    FROM billing_usagecharge WHERE serving_institution_id IS NOT NULL
) part
GROUP BY account_id, month
"""
ROOM = "ALTER TABLE billing_accountmonth SET (fillfactor = 70)"  # its rows are changed in place


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_invoices_of_notes")]

    operations = [
        migrations.CreateModel(
            name="AccountMonth",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.DateField(verbose_name="month")),
                ("received_nano", models.BigIntegerField(verbose_name="received, in nano-euros")),
                ("given_nano", models.BigIntegerField(verbose_name="given, in nano-euros")),
                (
                    "own_nano",
                    models.BigIntegerField(verbose_name="answered to oneself, in nano-euros"),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="months",
                        to="billing.account",
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "account’s month",
                "verbose_name_plural": "accounts’ months",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "month"), name="an_accounts_month_is_one_sum"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("given_nano__gte", 0), ("own_nano__gte", 0), ("received_nano__gte", 0)
                        ),
                        name="an_accounts_month_adds_up_what_moved",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["created_at", "id"], name="transfers_as_made"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(
                fields=["booked_month", "created_at", "id"], name="transfers_of_a_month_as_made"
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(
                condition=models.Q(("reason__in", ("correction", "reversal"))),
                fields=["booked_month"],
                name="corrections_of_a_month",
            ),
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(FILLED, migrations.RunSQL.noop),
    ]
