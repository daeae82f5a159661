import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AIModel",
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
                        max_length=128,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"
                            )
                        ],
                        verbose_name="public name",
                    ),
                ),
                ("display_name", models.CharField(max_length=128, verbose_name="name")),
                (
                    "description_fr",
                    models.TextField(blank=True, verbose_name="description in French"),
                ),
                (
                    "description_en",
                    models.TextField(blank=True, verbose_name="description in English"),
                ),
                (
                    "publisher",
                    models.CharField(blank=True, max_length=128, verbose_name="publisher"),
                ),
                ("licence", models.CharField(blank=True, max_length=128, verbose_name="licence")),
                (
                    "languages",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=8),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="languages",
                    ),
                ),
                (
                    "capabilities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("chat", "chat"),
                                ("tools", "tool calls"),
                                ("vision", "images"),
                                ("reasoning", "reasoning"),
                                ("structured_output", "structured output"),
                                ("embeddings", "embeddings"),
                                ("rerank", "reranking"),
                            ],
                            max_length=32,
                        ),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="capabilities",
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("generalist", "generalist"),
                            ("multimodal", "multimodal"),
                            ("reasoning", "reasoning"),
                            ("agentic", "agentic"),
                        ],
                        default="generalist",
                        max_length=16,
                        verbose_name="category",
                    ),
                ),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("proposed", "proposed"),
                            ("staging", "staging"),
                            ("production", "production"),
                            ("deprecated", "deprecated"),
                            ("retired", "retired"),
                        ],
                        default="proposed",
                        max_length=16,
                        verbose_name="stage",
                    ),
                ),
                (
                    "strategy",
                    models.CharField(
                        choices=[("round-robin", "round robin"), ("least-busy", "least busy")],
                        default="least-busy",
                        max_length=16,
                        verbose_name="strategy",
                    ),
                ),
            ],
            options={
                "verbose_name": "model",
                "verbose_name_plural": "models",
                "ordering": ("slug",),
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("slug"),
                        name="a_public_name_is_one_model_whatever_its_case",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("slug__regex", "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")),
                        name="a_public_name_has_no_odd_character",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "stage__in",
                                ["deprecated", "production", "proposed", "retired", "staging"],
                            )
                        ),
                        name="a_stage_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("strategy__in", ["least-busy", "round-robin"])),
                        name="a_strategy_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("category__in", ["generalist", "multimodal", "reasoning", "agentic"])
                        ),
                        name="a_category_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "capabilities__contained_by",
                                [
                                    "chat",
                                    "tools",
                                    "vision",
                                    "reasoning",
                                    "structured_output",
                                    "embeddings",
                                    "rerank",
                                ],
                            )
                        ),
                        name="capabilities_are_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Alias",
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
                    "name",
                    models.CharField(
                        max_length=128,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"
                            )
                        ],
                        verbose_name="name",
                    ),
                ),
                ("sunset", models.DateField(blank=True, null=True, verbose_name="announced end")),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="aliases",
                        to="catalogue.aimodel",
                        verbose_name="model",
                    ),
                ),
                (
                    "successor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="succeeds",
                        to="catalogue.aimodel",
                        verbose_name="successor",
                    ),
                ),
            ],
            options={
                "verbose_name": "alias",
                "verbose_name_plural": "aliases",
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("name"),
                        name="an_alias_is_one_model_whatever_its_case",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")),
                        name="an_alias_has_no_odd_character",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("successor__isnull", True),
                            models.Q(("successor", models.F("model")), _negated=True),
                            _connector="OR",
                        ),
                        name="an_alias_is_succeeded_by_another_model",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ModelVersion",
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
                ("revision", models.CharField(max_length=200, verbose_name="weights")),
                (
                    "quantisation",
                    models.CharField(blank=True, max_length=32, verbose_name="quantisation"),
                ),
                (
                    "context_length",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="context, in tokens",
                    ),
                ),
                (
                    "template",
                    models.CharField(
                        blank=True, max_length=128, verbose_name="conversation template"
                    ),
                ),
                ("current", models.BooleanField(default=False, verbose_name="current")),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="catalogue.aimodel",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "model version",
                "verbose_name_plural": "model versions",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("model", "revision", "quantisation", "context_length", "template"),
                        name="a_version_is_registered_once",
                        nulls_distinct=False,
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("current", True)),
                        fields=("model",),
                        name="one_current_version_per_model",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("context_length__gt", 0)),
                        name="a_context_holds_at_least_one_token",
                    ),
                ],
            },
        ),
    ]
