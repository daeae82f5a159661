"""Private networks of sites, certificates that the router shows, and the nightly look at when those end."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

NIGHTLY, HOUR = "warn of certificates", 5


def schedule(apps, schema_editor):
    """In the morning, in Paris: mails are read by day."""
    now = datetime.now(ZoneInfo("Europe/Paris"))
    morning = now.replace(hour=HOUR, minute=30, second=0, microsecond=0) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NIGHTLY,
        defaults={
            "func": "federation.fleet.tasks.warn_of_certificates",
            "schedule_type": "D",
            "next_run": morning,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NIGHTLY).delete()


def copy_authorities(apps, schema_editor):
    """A form says what its server trusts already."""
    forms = apps.get_model("fleet", "TechnicalForm").objects
    for form in (
        forms.exclude(server__isnull=True).exclude(server__ca_bundle="").select_related("server")
    ):
        forms.filter(pk=form.pk).update(ca_bundle=form.server.ca_bundle)


class Migration(migrations.Migration):
    dependencies = [
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("fleet", "0003_technical_forms_and_reports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="technicalform",
            name="ca_bundle",
            field=models.TextField(blank=True, verbose_name="certificate authority"),
        ),
        migrations.AddField(
            model_name="technicalform",
            name="client_chain",
            field=models.TextField(blank=True, verbose_name="client certificate"),
        ),
        migrations.AddField(
            model_name="technicalform",
            name="sealed_client_key",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="conformityline",
            name="finding",
            field=models.CharField(
                choices=[
                    ("fine", "fine"),
                    ("not_declared", "not_declared"),
                    ("not_reached", "not_reached"),
                    ("not_known_of_engine", "not_known_of_engine"),
                    ("out_of_time", "out_of_time"),
                    ("own_fault", "own_fault"),
                    ("resolved", "resolved"),
                    ("is_address", "is_address"),
                    ("unknown_name", "unknown_name"),
                    ("bad_address", "bad_address"),
                    ("address_refused", "address_refused"),
                    ("connected", "connected"),
                    ("refuses_connections", "refuses_connections"),
                    ("no_answer", "no_answer"),
                    ("encrypted", "encrypted"),
                    ("in_clear", "in_clear"),
                    ("certificate", "certificate"),
                    ("wants_certificate", "wants_certificate"),
                    ("cut", "cut"),
                    ("silent", "silent"),
                    ("no_http", "no_http"),
                    ("denied", "denied"),
                    ("no_endpoint", "no_endpoint"),
                    ("busy", "busy"),
                    ("redirects", "redirects"),
                    ("server_error", "server_error"),
                    ("refused_request", "refused_request"),
                    ("not_as_documented", "not_as_documented"),
                    ("empty_answer", "empty_answer"),
                    ("asks_who", "asks_who"),
                    ("open_to_all", "open_to_all"),
                    ("unreadable_key", "unreadable_key"),
                    ("serves_model", "serves_model"),
                    ("not_listed", "not_listed"),
                    ("lists_nothing", "lists_nothing"),
                    ("other_name", "other_name"),
                    ("streams", "streams"),
                    ("one_piece", "one_piece"),
                    ("buffered", "buffered"),
                    ("no_stream", "no_stream"),
                    ("unfinished", "unfinished"),
                    ("counts", "counts"),
                    ("no_counts", "no_counts"),
                    ("odd_counts", "odd_counts"),
                    ("window_fits", "window_fits"),
                    ("window_unsure", "window_unsure"),
                    ("window_listed_smaller", "window_listed_smaller"),
                    ("window_refused", "window_refused"),
                    ("window_cut", "window_cut"),
                    ("calls_tools", "calls_tools"),
                    ("calls_when_forced", "calls_when_forced"),
                    ("no_call", "no_call"),
                    ("broken_call", "broken_call"),
                    ("follows_schema", "follows_schema"),
                    ("ignores_schema", "ignores_schema"),
                    ("reads_images", "reads_images"),
                    ("embeds", "embeds"),
                    ("transcribes", "transcribes"),
                    ("metrics_read", "metrics_read"),
                    ("metrics_unreadable", "metrics_unreadable"),
                    ("speed", "speed"),
                    ("slow", "slow"),
                    ("some_refused", "some_refused"),
                    ("some_failed", "some_failed"),
                    ("alike", "alike"),
                    ("unalike", "unalike"),
                    ("no_peer", "no_peer"),
                    ("peer_silent", "peer_silent"),
                    ("answered", "answered"),
                    ("limit_ignored", "limit_ignored"),
                    ("broken_signs", "broken_signs"),
                    ("accepts_nonsense", "accepts_nonsense"),
                ],
                max_length=24,
                verbose_name="finding",
            ),
        ),
        migrations.CreateModel(
            name="ClientCertificate",
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
                ("chain", models.TextField(verbose_name="certificate")),
                ("ciphertext", models.TextField()),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="valid to")),
                ("warned_at", models.DateTimeField(blank=True, null=True, verbose_name="warned")),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="client_certificates",
                        to="fleet.inferenceserver",
                        verbose_name="server",
                    ),
                ),
            ],
            options={
                "verbose_name": "client certificate",
                "verbose_name_plural": "client certificates",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("valid_to__isnull", True)),
                        fields=("server",),
                        name="one_current_client_certificate_per_server",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("valid_to__gte", models.F("valid_from"))),
                        name="a_client_certificate_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ciphertext", ""), _negated=True),
                            models.Q(("chain", ""), _negated=True),
                        ),
                        name="a_client_certificate_has_its_key",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SiteEgressGrant",
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
                ("network", models.CharField(max_length=43, verbose_name="network")),
                (
                    "ports",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveIntegerField(
                            validators=[
                                django.core.validators.MinValueValidator(1),
                                django.core.validators.MaxValueValidator(65535),
                            ]
                        ),
                        size=20,
                        verbose_name="ports",
                    ),
                ),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("until", models.DateField(blank=True, null=True, verbose_name="last day")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "asked for"),
                            ("granted", "in force"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="asked",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("answer", models.CharField(blank=True, max_length=200, verbose_name="answer")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked by",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="egress_grants",
                        to="fleet.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "network permission of a site",
                "verbose_name_plural": "network permissions of sites",
                "ordering": ("-created_at",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["asked", "granted"])),
                        fields=("site", "network", "ports"),
                        name="a_network_is_asked_for_once",
                        violation_error_message="This network is asked for, or allowed, already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["asked", "granted", "declined", "withdrawn"])
                        ),
                        name="a_site_grant_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ports__len__gte", 1), ("ports__len__lte", 20)),
                        name="a_site_grant_names_some_ports",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True),
                            models.Q(
                                models.Q(("state", "declined"), _negated=True),
                                models.Q(("answer", ""), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="a_site_grant_says_why",
                    ),
                ],
            },
        ),
        migrations.RunPython(schedule, unschedule),
        migrations.RunPython(copy_authorities, migrations.RunPython.noop),
    ]
