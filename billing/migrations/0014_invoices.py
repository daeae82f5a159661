"""Invoices: who issues them, what institutions say for theirs, and the issued ones, which stay as they are."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

APPEND_ONLY = """
CREATE TRIGGER invoices_stay BEFORE UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoices_are_never_emptied BEFORE TRUNCATE ON billing_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_truncation();
"""
NO_TRIGGERS = """
DROP TRIGGER invoices_are_never_emptied ON billing_invoice;
DROP TRIGGER invoices_stay ON billing_invoice;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0013_requests_for_more"),
        ("members", "0005_no_truncation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Issuer",
            fields=[
                ("street", models.TextField(blank=True, max_length=200, verbose_name="street")),
                (
                    "postcode",
                    models.CharField(
                        blank=True,
                        max_length=5,
                        validators=[django.core.validators.RegexValidator("^[0-9]{5}$")],
                        verbose_name="postcode",
                    ),
                ),
                ("city", models.CharField(blank=True, max_length=100, verbose_name="town")),
                (
                    "vat_number",
                    models.CharField(blank=True, max_length=13, verbose_name="VAT number"),
                ),
                (
                    "e_address",
                    models.CharField(
                        blank=True, max_length=120, verbose_name="address for e-invoices"
                    ),
                ),
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=150, verbose_name="name")),
                (
                    "siret",
                    models.CharField(
                        max_length=14,
                        validators=[django.core.validators.RegexValidator("^[0-9]{14}$")],
                        verbose_name="SIRET",
                    ),
                ),
                ("iban", models.CharField(max_length=34, verbose_name="IBAN")),
                ("bic", models.CharField(blank=True, max_length=11, verbose_name="BIC")),
                (
                    "days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(60),
                        ],
                        verbose_name="days to pay",
                    ),
                ),
            ],
            options={
                "verbose_name": "issuer of invoices",
                "verbose_name_plural": "issuer of invoices",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_issues_for_all")
                ],
            },
        ),
        migrations.CreateModel(
            name="Invoice",
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
                ("number", models.CharField(max_length=20, unique=True, verbose_name="number")),
                ("issued_on", models.DateField(verbose_name="issued on")),
                ("total_cents", models.BigIntegerField(verbose_name="total with VAT")),
                ("due_cents", models.BigIntegerField(verbose_name="to pay")),
                ("content", models.BinaryField(max_length=8388608)),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                (
                    "issued_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="issued by",
                    ),
                ),
                (
                    "statement",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoice",
                        to="billing.statement",
                        verbose_name="statement",
                    ),
                ),
            ],
            options={
                "verbose_name": "invoice",
                "verbose_name_plural": "invoices",
                "ordering": ("number",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("due_cents__gt", 0)),
                        name="an_invoice_asks_for_something",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="InvoicingFacts",
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
                ("street", models.TextField(blank=True, max_length=200, verbose_name="street")),
                (
                    "postcode",
                    models.CharField(
                        blank=True,
                        max_length=5,
                        validators=[django.core.validators.RegexValidator("^[0-9]{5}$")],
                        verbose_name="postcode",
                    ),
                ),
                ("city", models.CharField(blank=True, max_length=100, verbose_name="town")),
                (
                    "vat_number",
                    models.CharField(blank=True, max_length=13, verbose_name="VAT number"),
                ),
                (
                    "e_address",
                    models.CharField(
                        blank=True, max_length=120, verbose_name="address for e-invoices"
                    ),
                ),
                (
                    "vat_status",
                    models.CharField(
                        choices=[
                            ("exempt_261b", "exempt: art. 261 B of the French tax code"),
                            ("outside_scope", "not taxable for what it uses: art. 261 B as well"),
                            ("taxable", "taxable"),
                            ("unknown", "not known yet"),
                        ],
                        default="unknown",
                        max_length=16,
                        verbose_name="value-added tax",
                    ),
                ),
                (
                    "service_code",
                    models.CharField(blank=True, max_length=50, verbose_name="service code"),
                ),
                (
                    "commitment",
                    models.CharField(blank=True, max_length=50, verbose_name="commitment number"),
                ),
                ("contract", models.CharField(blank=True, max_length=50, verbose_name="contract")),
                (
                    "institution",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoicing",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
            ],
            options={
                "verbose_name": "facts for invoices",
                "verbose_name_plural": "facts for invoices",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "vat_status__in",
                                ["exempt_261b", "outside_scope", "taxable", "unknown"],
                            )
                        ),
                        name="a_vat_status_is_known",
                    )
                ],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, NO_TRIGGERS),
    ]
