import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Institution",
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
                    "slug",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9]+(-[a-z0-9]+)*$")
                        ],
                        verbose_name="short identifier",
                    ),
                ),
                ("name", models.CharField(max_length=150, verbose_name="name")),
                ("short_name", models.CharField(max_length=40, verbose_name="short name")),
                (
                    "uai",
                    models.CharField(
                        blank=True,
                        max_length=8,
                        validators=[django.core.validators.RegexValidator("^[0-9]{7}[A-Z]$")],
                        verbose_name="UAI",
                    ),
                ),
                (
                    "siret",
                    models.CharField(
                        blank=True,
                        max_length=14,
                        validators=[django.core.validators.RegexValidator("^[0-9]{14}$")],
                        verbose_name="SIRET",
                    ),
                ),
                (
                    "weight",
                    models.DecimalField(
                        decimal_places=2, default=1, max_digits=6, verbose_name="weight"
                    ),
                ),
            ],
            options={
                "verbose_name": "institution",
                "verbose_name_plural": "institutions",
                "ordering": ("slug",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("slug__regex", "^[a-z0-9]+(-[a-z0-9]+)*$")),
                        name="a_slug_fits_in_an_address",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("uai", ""), ("uai__regex", "^[0-9]{7}[A-Z]$"), _connector="OR"
                        ),
                        name="a_uai_is_seven_digits_and_a_letter",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("siret", ""), ("siret__regex", "^[0-9]{14}$"), _connector="OR"
                        ),
                        name="a_siret_is_fourteen_digits",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("uai", ""), _negated=True),
                        fields=("uai",),
                        name="a_uai_names_one_institution",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("weight__gt", 0)), name="a_weight_is_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
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
                    "state",
                    models.CharField(
                        choices=[
                            ("candidate", "candidate"),
                            ("approved", "approved"),
                            ("suspended", "suspended"),
                            ("left", "left"),
                        ],
                        default="candidate",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("is_contributor", models.BooleanField(default=False, verbose_name="contributor")),
                ("is_consumer", models.BooleanField(default=False, verbose_name="consumer")),
                (
                    "institution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
            ],
            options={
                "verbose_name": "membership",
                "verbose_name_plural": "memberships",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_contributor", True), ("is_consumer", True), _connector="OR"
                        ),
                        name="a_member_contributes_or_consumes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["candidate", "approved", "suspended", "left"])
                        ),
                        name="a_membership_state_is_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "left"), _negated=True),
                        fields=("institution",),
                        name="one_live_membership_per_institution",
                    ),
                ],
            },
        ),
    ]
