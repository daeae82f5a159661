import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalogue", "0001_initial"),
        ("members", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Site",
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
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("city", models.CharField(blank=True, max_length=100, verbose_name="city")),
                (
                    "pue",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        max_digits=4,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="PUE",
                    ),
                ),
                (
                    "labels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="labels",
                    ),
                ),
                (
                    "institution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sites",
                        to="members.institution",
                        verbose_name="institution",
                    ),
                ),
            ],
            options={
                "verbose_name": "site",
                "verbose_name_plural": "sites",
            },
        ),
        migrations.CreateModel(
            name="InferenceServer",
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
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "slug",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9]+(-[a-z0-9]+)*$")
                        ],
                        verbose_name="short identifier",
                    ),
                ),
                (
                    "engine",
                    models.CharField(
                        choices=[
                            ("vllm", "vLLM"),
                            ("ollama", "Ollama"),
                            ("litellm", "LiteLLM"),
                            ("lmdeploy", "LMDeploy"),
                            ("openai", "OpenAI-compatible"),
                        ],
                        max_length=16,
                        verbose_name="engine",
                    ),
                ),
                ("base_url", models.CharField(max_length=500, verbose_name="address")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("staging", "staging"),
                            ("live", "in service"),
                            ("draining", "draining"),
                            ("suspended", "suspended"),
                            ("retired", "retired"),
                        ],
                        default="staging",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                (
                    "max_parallel",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="most requests at once",
                    ),
                ),
                ("ca_bundle", models.TextField(blank=True, verbose_name="certificate authority")),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="servers",
                        to="fleet.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "inference server",
                "verbose_name_plural": "inference servers",
                "ordering": ("slug",),
            },
        ),
        migrations.CreateModel(
            name="UpstreamCredential",
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
                ("ciphertext", models.TextField()),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                (
                    "valid_to",
                    models.DateTimeField(blank=True, null=True, verbose_name="valid to"),
                ),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credentials",
                        to="fleet.inferenceserver",
                        verbose_name="server",
                    ),
                ),
            ],
            options={
                "verbose_name": "access token",
                "verbose_name_plural": "access tokens",
            },
        ),
        migrations.CreateModel(
            name="EgressGrant",
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
                ("address", models.GenericIPAddressField(verbose_name="address")),
                ("port", models.PositiveIntegerField(verbose_name="port")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="revoked"),
                ),
                (
                    "granted_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="empty when an operator's command did; the journal names it",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="granted by",
                    ),
                ),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="egress_grants",
                        to="fleet.inferenceserver",
                        verbose_name="server",
                    ),
                ),
            ],
            options={
                "verbose_name": "network permission",
                "verbose_name_plural": "network permissions",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at__isnull", True)),
                        fields=("server", "address", "port"),
                        name="an_egress_grant_is_given_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("port__gte", 1), ("port__lte", 65535)),
                        name="an_egress_grant_names_a_port",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="an_egress_grant_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Deployment",
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
                    "served_name",
                    models.CharField(max_length=200, verbose_name="name on the server"),
                ),
                (
                    "endpoints",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="endpoints",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("live", "in service"), ("retired", "retired")],
                        default="live",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deployments",
                        to="catalogue.modelversion",
                        verbose_name="model version",
                    ),
                ),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deployments",
                        to="fleet.inferenceserver",
                        verbose_name="server",
                    ),
                ),
            ],
            options={
                "verbose_name": "deployment",
                "verbose_name_plural": "deployments",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "live")),
                        fields=("server", "served_name"),
                        name="a_server_serves_a_name_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["live", "retired"])),
                        name="a_deployment_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("served_name", ""), _negated=True),
                        name="a_deployment_has_a_served_name",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="site",
            constraint=models.UniqueConstraint(
                fields=("institution", "name"), name="a_site_name_is_unique_in_its_institution"
            ),
        ),
        migrations.AddConstraint(
            model_name="site",
            constraint=models.CheckConstraint(
                condition=models.Q(("pue__gte", 1)), name="a_pue_is_at_least_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="inferenceserver",
            constraint=models.CheckConstraint(
                condition=models.Q(("slug__regex", "^[a-z0-9]+(-[a-z0-9]+)*$")),
                name="a_server_slug_fits_in_an_address",
            ),
        ),
        migrations.AddConstraint(
            model_name="inferenceserver",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("engine__in", ["vllm", "ollama", "litellm", "lmdeploy", "openai"])
                ),
                name="an_engine_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="inferenceserver",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["draining", "live", "retired", "staging", "suspended"])
                ),
                name="a_server_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="inferenceserver",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_parallel__gt", 0)),
                name="a_server_takes_at_least_one_request",
            ),
        ),
        migrations.AddConstraint(
            model_name="inferenceserver",
            constraint=models.CheckConstraint(
                condition=models.Q(("base_url__regex", "^https?://[^\\s@?#]+$")),
                name="a_server_address_carries_no_secret",
            ),
        ),
        migrations.AddConstraint(
            model_name="upstreamcredential",
            constraint=models.UniqueConstraint(
                condition=models.Q(("valid_to__isnull", True)),
                fields=("server",),
                name="one_current_credential_per_server",
            ),
        ),
        migrations.AddConstraint(
            model_name="upstreamcredential",
            constraint=models.CheckConstraint(
                condition=models.Q(("valid_to__gte", models.F("valid_from"))),
                name="a_credential_ends_after_it_begins",
            ),
        ),
        migrations.AddConstraint(
            model_name="upstreamcredential",
            constraint=models.CheckConstraint(
                condition=models.Q(("ciphertext", ""), _negated=True),
                name="a_credential_is_never_empty",
            ),
        ),
    ]
