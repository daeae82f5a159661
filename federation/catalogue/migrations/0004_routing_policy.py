"""A model's routing settings in versions, of which one is current: they are changed, never edited."""

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import routing.core.ids

FORWARD = """
CREATE FUNCTION catalogue_refuse_policy_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'current') = (to_jsonb(OLD) - 'current') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a routing policy is immutable' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER a_routing_policy_is_immutable
    BEFORE UPDATE OR DELETE ON catalogue_routingpolicy
    FOR EACH ROW EXECUTE FUNCTION catalogue_refuse_policy_change();
"""
BACKWARD = """
DROP TRIGGER a_routing_policy_is_immutable ON catalogue_routingpolicy;
DROP FUNCTION catalogue_refuse_policy_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0003_affinity"),
        ("people", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="RoutingPolicy",
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
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="routing_policies",
                        to="catalogue.aimodel",
                        verbose_name="model",
                    ),
                ),
                ("number", models.PositiveIntegerField(default=0, verbose_name="version")),
                (
                    "setting",
                    models.CharField(
                        choices=[
                            ("affinity", "affinity"),
                            ("least-busy-requeue", "least busy, with requeue"),
                            ("round-robin-requeue", "round robin, with requeue"),
                            ("round-robin", "round robin"),
                        ],
                        default="affinity",
                        max_length=32,
                        verbose_name="setting",
                    ),
                ),
                (
                    "share_p4",
                    models.PositiveSmallIntegerField(
                        default=5,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(90),
                        ],
                        verbose_name="minimum share of P4, in per cent",
                    ),
                ),
                (
                    "share_p3",
                    models.PositiveSmallIntegerField(
                        default=5,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(90),
                        ],
                        verbose_name="minimum share of P3, in per cent",
                    ),
                ),
                (
                    "share_p2",
                    models.PositiveSmallIntegerField(
                        default=3,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(90),
                        ],
                        verbose_name="minimum share of P2, in per cent",
                    ),
                ),
                (
                    "share_p1",
                    models.PositiveSmallIntegerField(
                        default=2,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(90),
                        ],
                        verbose_name="minimum share of P1, in per cent",
                    ),
                ),
                (
                    "longest_wait",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600),
                        ],
                        verbose_name="longest wait, in seconds",
                    ),
                ),
                (
                    "forward_priority",
                    models.BooleanField(default=False, verbose_name="tell vLLM the class"),
                ),
                ("current", models.BooleanField(default=False, verbose_name="current")),
                (
                    "set_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.user",
                        verbose_name="set by",
                    ),
                ),
            ],
            options={
                "verbose_name": "routing policy",
                "verbose_name_plural": "routing policies",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("model", "number"), name="a_routing_policy_has_a_number_of_its_own"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("current", True)),
                        fields=("model",),
                        name="one_current_routing_policy_per_model",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "setting__in",
                                [
                                    "affinity",
                                    "least-busy-requeue",
                                    "round-robin",
                                    "round-robin-requeue",
                                ],
                            )
                        ),
                        name="a_routing_setting_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("share_p1__gte", 1),
                            ("share_p2__gte", 1),
                            ("share_p3__gte", 1),
                            ("share_p4__gte", 1),
                        ),
                        name="every_class_has_a_minimum",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "share_p4__lte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.Value(90), "-", models.F("share_p3")
                                        ),
                                        "-",
                                        models.F("share_p2"),
                                    ),
                                    "-",
                                    models.F("share_p1"),
                                ),
                            )
                        ),
                        name="minimum_shares_leave_something",
                        violation_error_message="The minimum shares are at most 90 per cent together.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("longest_wait__isnull", True),
                            models.Q(("longest_wait__gte", 1), ("longest_wait__lte", 3600)),
                            _connector="OR",
                        ),
                        name="a_longest_wait_is_between_a_second_and_an_hour",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
