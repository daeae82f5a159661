"""Invoices and credit notes of what came after a statement's invoice, and of the adjustments of years.

Those that are there say which notes they contain, and their amounts without tax.
"""

import django.db.models.deletion
from django.db import migrations, models

import routing.core.ids

KNOWN = """
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO billing_invoicednote (id, created_at, invoice_id, note_id)
SELECT gen_random_uuid(), invoice.created_at, invoice.id, note.id FROM billing_invoice invoice
JOIN billing_note note ON note.statement_id = invoice.statement_id AND note.created_at < invoice.created_at;
ALTER TABLE billing_invoice DISABLE TRIGGER invoices_stay;
UPDATE billing_invoice SET institution_id = statement.institution_id,
    net_cents = statement.used_cents + coalesce((
        SELECT sum(note.used_cents) FROM billing_invoicednote taken JOIN billing_note note ON note.id = taken.note_id
        WHERE taken.invoice_id = billing_invoice.id
    ), 0)
FROM billing_statement statement WHERE statement.id = billing_invoice.statement_id;
ALTER TABLE billing_invoice ENABLE TRIGGER invoices_stay;
"""
STAY = """
CREATE TRIGGER notes_of_invoices_stay BEFORE UPDATE OR DELETE ON billing_invoicednote
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER notes_of_invoices_are_never_emptied BEFORE TRUNCATE ON billing_invoicednote
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
"""
GO = """
DROP TRIGGER notes_of_invoices_are_never_emptied ON billing_invoicednote;
DROP TRIGGER notes_of_invoices_stay ON billing_invoicednote;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0019_what_comes_late_of_mergers"),
        ("members", "0005_no_truncation"),
    ]

    operations = [
        migrations.CreateModel(
            name="InvoicedNote",
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
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoiced_notes",
                        to="billing.invoice",
                        verbose_name="invoice",
                    ),
                ),
                (
                    "note",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoiced",
                        to="billing.note",
                        verbose_name="credit note or adjustment",
                    ),
                ),
            ],
            options={
                "verbose_name": "note of an invoice",
                "verbose_name_plural": "notes of invoices",
                "ordering": ("pk",),
            },
        ),
        migrations.AddField(
            model_name="invoice",
            name="kind",
            field=models.CharField(
                choices=[("380", "invoice"), ("381", "credit note")],
                default="380",
                max_length=3,
                verbose_name="kind",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="invoice",
            name="institution",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoices",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="net_cents",
            field=models.BigIntegerField(null=True, verbose_name="total without VAT"),
        ),
        migrations.RunSQL(KNOWN, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="invoice",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoices",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="net_cents",
            field=models.BigIntegerField(verbose_name="total without VAT"),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="due_cents",
            field=models.BigIntegerField(verbose_name="to pay, or to get back"),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="statement",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoice",
                to="billing.statement",
                verbose_name="statement",
            ),
        ),
        migrations.RemoveConstraint(model_name="invoice", name="an_invoice_asks_for_something"),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_cents__gt", 0), ("kind", "380")),
                    models.Q(
                        ("due_cents__gte", 0),
                        ("kind", "381"),
                        ("net_cents__gt", 0),
                        ("statement", None),
                    ),
                    _connector="OR",
                ),
                name="an_invoice_asks_and_a_credit_note_gives",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_cents__gte", models.F("net_cents"))),
                name="a_tax_is_nothing_or_more",
            ),
        ),
        migrations.RemoveConstraint(model_name="statement", name="a_number_is_given_once"),
        migrations.AlterField(
            model_name="statement",
            name="number",
            field=models.CharField(max_length=16, unique=True, verbose_name="number"),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.CheckConstraint(
                condition=models.Q(("number", ""), _negated=True), name="a_statement_has_a_number"
            ),
        ),
        migrations.RunSQL(STAY, GO),
    ]
