"""What critical models must have at least, in versions that never change, and the episodes in which it was missing."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

FORWARD = """
CREATE FUNCTION catalogue_refuse_minimum_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'current') = (to_jsonb(OLD) - 'current') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a minimum service is immutable' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER a_minimum_service_is_immutable
    BEFORE UPDATE OR DELETE ON catalogue_minimumservice
    FOR EACH ROW EXECUTE FUNCTION catalogue_refuse_minimum_change();
"""
BACKWARD = """
DROP TRIGGER a_minimum_service_is_immutable ON catalogue_minimumservice;
DROP FUNCTION catalogue_refuse_minimum_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0006_life"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MinimumService",
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
                ("number", models.PositiveIntegerField(default=0, verbose_name="version")),
                (
                    "servers",
                    models.PositiveSmallIntegerField(
                        default=0,
                        validators=[django.core.validators.MaxValueValidator(100)],
                        verbose_name="healthy servers",
                    ),
                ),
                (
                    "sites",
                    models.PositiveSmallIntegerField(default=0, verbose_name="distinct sites"),
                ),
                (
                    "protected_class",
                    models.PositiveSmallIntegerField(
                        choices=[(5, "P5"), (4, "P4"), (3, "P3"), (2, "P2"), (1, "P1")],
                        default=3,
                        verbose_name="lowest class that is protected",
                    ),
                ),
                ("current", models.BooleanField(default=False, verbose_name="current")),
                (
                    "fallback",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stands_in_for",
                        to="catalogue.aimodel",
                        verbose_name="fallback",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="minimum_services",
                        to="catalogue.aimodel",
                        verbose_name="model",
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="set by",
                    ),
                ),
            ],
            options={
                "verbose_name": "minimum service",
                "verbose_name_plural": "minimum services",
            },
        ),
        migrations.CreateModel(
            name="MinimumServiceAlarm",
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
                ("began_at", models.DateTimeField(verbose_name="began")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("servers", models.PositiveSmallIntegerField(verbose_name="fewest servers")),
                ("sites", models.PositiveSmallIntegerField(verbose_name="fewest sites")),
                (
                    "told_fall",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="told of the beginning",
                    ),
                ),
                (
                    "told_return",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="told of the end",
                    ),
                ),
                (
                    "fall_told_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="everybody told of the beginning"
                    ),
                ),
                (
                    "return_told_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="everybody told of the end"
                    ),
                ),
                (
                    "minimum",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alarms",
                        to="catalogue.minimumservice",
                        verbose_name="minimum service",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="minimum_alarms",
                        to="catalogue.aimodel",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "minimum service alarm",
                "verbose_name_plural": "minimum service alarms",
            },
        ),
        migrations.AddConstraint(
            model_name="minimumservice",
            constraint=models.UniqueConstraint(
                fields=("model", "number"), name="a_minimum_service_has_a_number_of_its_own"
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("current", True)),
                fields=("model",),
                name="one_current_minimum_service_per_model",
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("fallback__isnull", True), ("servers", 0), ("sites", 0)),
                    models.Q(
                        ("servers__gte", 1),
                        ("servers__lte", 100),
                        ("sites__gte", 1),
                        ("sites__lte", models.F("servers")),
                    ),
                    _connector="OR",
                ),
                name="a_minimum_service_needs_no_more_sites_than_servers",
                violation_error_message="There cannot be more sites than servers.",
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservice",
            constraint=models.CheckConstraint(
                condition=models.Q(("protected_class__in", [1, 2, 3, 4, 5])),
                name="a_protected_class_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("fallback__isnull", True),
                    models.Q(("fallback", models.F("model")), _negated=True),
                    _connector="OR",
                ),
                name="a_model_is_not_its_own_fallback",
                violation_error_message="A model cannot be its own fallback.",
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservicealarm",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("model",),
                name="one_open_alarm_per_model",
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservicealarm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_at__isnull", True),
                    ("ended_at__gte", models.F("began_at")),
                    _connector="OR",
                ),
                name="an_alarm_ends_after_it_began",
            ),
        ),
        migrations.AddConstraint(
            model_name="minimumservicealarm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("return_told_at__isnull", True), ("ended_at__isnull", False), _connector="OR"
                ),
                name="an_end_is_told_once_it_has_come",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
