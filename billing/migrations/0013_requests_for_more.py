"""Budgets of people, who holds a budget, and requests for more, whose raises the worker lets end every hour."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone

import routing.core.ids

NAME = "end raises of budgets"
HELD = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE billing_budget SET level = CASE scope WHEN 'institution' THEN 2 ELSE 3 END
    WHERE scope IN ('institution', 'model', 'federation');
SET CONSTRAINTS ALL DEFERRED;
"""
"""Who could change what there is: at once, so that no event of a trigger is open when the tables are altered."""


def schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={
            "func": "billing.tasks.end_raises",
            "schedule_type": "H",
            "next_run": timezone.now(),
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0012_audio_and_images"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("members", "0005_no_truncation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BudgetRequest",
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
                    "wanted",
                    models.BigIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100000000000000000),
                        ],
                        verbose_name="wanted",
                    ),
                ),
                ("until", models.DateField(blank=True, null=True, verbose_name="last day")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("granted", "raised for good"),
                            ("raised", "raised for a time"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                            ("ended", "raised for a time that is over"),
                        ],
                        default="open",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "granted",
                    models.BigIntegerField(blank=True, null=True, verbose_name="raised to"),
                ),
                ("before", models.BigIntegerField(blank=True, null=True, verbose_name="before")),
                ("answer", models.CharField(blank=True, max_length=500, verbose_name="answer")),
            ],
            options={
                "verbose_name": "request to raise a budget",
                "verbose_name_plural": "requests to raise budgets",
                "ordering": ("-pk",),
            },
        ),
        migrations.CreateModel(
            name="Holder",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
            ],
            options={
                "verbose_name": "owner of keys",
                "verbose_name_plural": "owners of keys",
            },
        ),
        migrations.RemoveConstraint(
            model_name="budget",
            name="a_budget_is_of_somebody",
        ),
        migrations.AddField(
            model_name="budget",
            name="level",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (1, "who manages the application"),
                    (2, "the institution"),
                    (3, "the federation"),
                ],
                db_default=1,
                default=1,
                verbose_name="held by",
            ),
        ),
        migrations.AlterField(
            model_name="budget",
            name="scope",
            field=models.CharField(
                choices=[
                    ("key", "a key"),
                    ("application", "an application"),
                    ("person", "a person"),
                    ("institution", "an institution"),
                    ("model", "a model"),
                    ("federation", "the whole federation"),
                ],
                max_length=16,
                verbose_name="whose",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "scope__in",
                        ["application", "federation", "institution", "key", "model", "person"],
                    )
                ),
                name="a_budget_is_of_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("level__in", [1, 2, 3])), name="a_budget_is_held_by_somebody"
            ),
        ),
        migrations.AddField(
            model_name="budgetrequest",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="asked by",
            ),
        ),
        migrations.AddField(
            model_name="budgetrequest",
            name="budget",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests",
                to="billing.budget",
                verbose_name="budget",
            ),
        ),
        migrations.AddField(
            model_name="budgetrequest",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="decided by",
            ),
        ),
        migrations.AddField(
            model_name="holder",
            name="institution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="holder",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="account",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("budget",),
                name="one_open_request_per_budget",
                violation_error_message="Somebody has asked for more of this budget already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "raised")),
                fields=("budget",),
                name="one_raise_for_a_time_per_budget",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["open", "granted", "raised", "declined", "withdrawn", "ended"])
                ),
                name="a_budget_request_has_a_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason", ""), _negated=True),
                    models.Q(
                        models.Q(("state", "declined"), _negated=True),
                        models.Q(("answer", ""), _negated=True),
                        _connector="OR",
                    ),
                ),
                name="a_budget_request_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ("granted", "raised")), _negated=True),
                    models.Q(("before__isnull", False), ("granted__isnull", False)),
                    _connector="OR",
                ),
                name="a_raise_says_from_what_to_what",
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "raised"), _negated=True),
                    ("until__isnull", False),
                    _connector="OR",
                ),
                name="a_raise_for_a_time_has_a_last_day",
            ),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.UniqueConstraint(
                fields=("user", "institution"), name="an_owner_of_keys_is_one_row"
            ),
        ),
        migrations.RunSQL(HELD, migrations.RunSQL.noop),
        migrations.RunPython(schedule, unschedule),
    ]
