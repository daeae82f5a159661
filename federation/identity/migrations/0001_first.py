"""Federations whose metadata is believed, and the services that vouch for people; read anew every six hours."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import routing.core.ids

NAME = "read federations' metadata"
EVERY_MINUTES = 6 * 60


def schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "federation.identity.tasks.refresh_metadata",
            "schedule_type": "I",
            "minutes": EVERY_MINUTES,
            "next_run": django.utils.timezone.now(),
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("members", "0006_successor"),
    ]

    operations = [
        migrations.CreateModel(
            name="MetadataSource",
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
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                (
                    "url",
                    models.CharField(
                        max_length=500,
                        validators=[
                            django.core.validators.RegexValidator("^(https://|file:/)[^\\s@?#]+$")
                        ],
                        verbose_name="address",
                    ),
                ),
                ("certificate", models.TextField(verbose_name="certificate of its signature")),
                ("refreshed_at", models.DateTimeField(blank=True, null=True, verbose_name="read")),
                (
                    "valid_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="holds until"),
                ),
                ("found", models.PositiveIntegerField(default=0, verbose_name="services")),
                (
                    "skipped",
                    models.JSONField(
                        blank=True, default=dict, verbose_name="services that cannot be used"
                    ),
                ),
                (
                    "failure",
                    models.CharField(blank=True, max_length=100, verbose_name="why it was refused"),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
            ],
            options={
                "verbose_name": "identity federation",
                "verbose_name_plural": "identity federations",
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="SignInService",
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
                    "protocol",
                    models.CharField(
                        choices=[
                            ("saml", "SAML"),
                            ("oidc", "OpenID Connect"),
                            ("proconnect", "ProConnect"),
                        ],
                        max_length=10,
                        verbose_name="protocol",
                    ),
                ),
                (
                    "service_id",
                    models.CharField(max_length=200, unique=True, verbose_name="identifier"),
                ),
                (
                    "slug",
                    models.CharField(
                        blank=True,
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9]+(-[a-z0-9]+)*$")
                        ],
                        verbose_name="short identifier",
                    ),
                ),
                ("names", models.JSONField(default=dict, verbose_name="names by language")),
                ("url", models.CharField(max_length=500, verbose_name="address")),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=253),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="domains",
                    ),
                ),
                (
                    "certificates",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), blank=True, default=list, size=None
                    ),
                ),
                (
                    "client_id",
                    models.CharField(blank=True, max_length=191, verbose_name="client identifier"),
                ),
                ("sealed_secret", models.TextField(blank=True)),
                ("is_hidden", models.BooleanField(default=False, verbose_name="not offered")),
                (
                    "takes_students",
                    models.BooleanField(default=False, verbose_name="students get a role, too"),
                ),
                ("gone_at", models.DateTimeField(blank=True, null=True, verbose_name="gone")),
                (
                    "institution",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sign_in_services",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="services",
                        to="identity.metadatasource",
                        verbose_name="identity federation",
                    ),
                ),
            ],
            options={
                "verbose_name": "sign-in service",
                "verbose_name_plural": "sign-in services",
                "ordering": ("service_id",),
                "indexes": [models.Index(fields=["source"], name="services_by_source")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("protocol__in", ["saml", "oidc", "proconnect"])),
                        name="a_sign_in_protocol_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("protocol", "saml"), ("source__isnull", False)),
                            models.Q(
                                models.Q(("protocol", "saml"), _negated=True),
                                models.Q(("client_id", ""), _negated=True),
                                models.Q(("slug", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="a_sign_in_service_can_be_asked",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("slug", ""), _negated=True),
                        fields=("slug",),
                        name="a_sign_in_slug_is_one_service_s",
                    ),
                ],
            },
        ),
        migrations.RunPython(schedule, unschedule, elidable=False),
    ]
