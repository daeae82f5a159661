"""The life of models: proposals, every step, announcements and who is told; and what the worker does of it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import routing.core.ids

TRIGGER = """
CREATE FUNCTION catalogue_refuse_stage_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of a model is append-only' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER the_history_of_a_model_is_append_only
    BEFORE UPDATE OR DELETE ON catalogue_stagechange
    FOR EACH ROW EXECUTE FUNCTION catalogue_refuse_stage_change();
"""
NO_TRIGGER = """
DROP TRIGGER the_history_of_a_model_is_append_only ON catalogue_stagechange;
DROP FUNCTION catalogue_refuse_stage_change();
"""
# The journal has told every step so far.
HISTORY = """
INSERT INTO catalogue_stagechange (id, created_at, model_id, before, after, decided_by_id, reason)
SELECT gen_random_uuid(), told.at, model.id, coalesce(told.diff -> 'stage' ->> 0, ''),
    coalesce(told.diff -> 'stage' ->> 1, told.diff ->> 'stage'), person.id, ''
FROM journal_auditevent told
JOIN catalogue_aimodel model ON model.id::text = told.object_id
LEFT JOIN people_user person ON person.pseudonym = told.actor_pseudonym
WHERE told.verb IN ('catalogue.register_model', 'catalogue.change_stage');
"""
HOURLY = "follow the models' calendar"


def schedule(apps, schema_editor):
    """From the next midnight in Paris on, a minute after each hour: an end is at the beginning of its day."""
    now = datetime.now(ZoneInfo("Europe/Paris"))
    soon = now.replace(hour=0, minute=1, second=0, microsecond=0) + timedelta(days=1)
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=HOURLY,
        defaults={
            "func": "federation.catalogue.tasks.follow_calendar",
            "schedule_type": "H",
            "next_run": soon,
            "repeats": -1,
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=HOURLY).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("journal", "0002_append_only"),
        ("catalogue", "0005_strategies_become_policies"),
        ("members", "0002_committee"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Announcement",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("deprecated", "deprecation"),
                            ("moved", "new date"),
                            ("kept", "stays in production"),
                            ("reminder", "reminder"),
                            ("alias", "end of an alias"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="end")),
            ],
            options={
                "verbose_name": "announcement",
                "verbose_name_plural": "announcements",
                "ordering": ("-created_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="Notice",
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
                    "keys",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=210),
                        default=list,
                        size=None,
                        verbose_name="keys",
                    ),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
                "ordering": ("created_at", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Proposal",
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
                    "weights_url",
                    models.CharField(
                        blank=True,
                        max_length=300,
                        validators=[django.core.validators.URLValidator(schemes=["https"])],
                        verbose_name="address of the weights",
                    ),
                ),
                ("reason", models.TextField(max_length=2000, verbose_name="why")),
                (
                    "hosts",
                    models.CharField(blank=True, max_length=300, verbose_name="who could host it"),
                ),
                (
                    "withdrawn_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="withdrawn"),
                ),
            ],
            options={
                "verbose_name": "proposal",
                "verbose_name_plural": "proposals",
                "ordering": ("-created_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="StageChange",
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
                    "before",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("proposed", "proposed"),
                            ("staging", "staging"),
                            ("production", "production"),
                            ("deprecated", "deprecated"),
                            ("retired", "retired"),
                        ],
                        max_length=16,
                        verbose_name="before",
                    ),
                ),
                (
                    "after",
                    models.CharField(
                        choices=[
                            ("proposed", "proposed"),
                            ("staging", "staging"),
                            ("production", "production"),
                            ("deprecated", "deprecated"),
                            ("retired", "retired"),
                        ],
                        max_length=16,
                        verbose_name="after",
                    ),
                ),
                ("reason", models.TextField(blank=True, max_length=1000, verbose_name="reason")),
            ],
            options={
                "verbose_name": "stage change",
                "verbose_name_plural": "stage changes",
                "ordering": ("created_at", "pk"),
            },
        ),
        migrations.RemoveConstraint(
            model_name="alias",
            name="an_alias_is_one_model_whatever_its_case",
        ),
        migrations.AddField(
            model_name="aimodel",
            name="deprecated_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="deprecated"),
        ),
        migrations.AddField(
            model_name="aimodel",
            name="deprecation_note_en",
            field=models.TextField(
                blank=True, db_default="", max_length=1000, verbose_name="note in English"
            ),
        ),
        migrations.AddField(
            model_name="aimodel",
            name="deprecation_note_fr",
            field=models.TextField(
                blank=True, db_default="", max_length=1000, verbose_name="note in French"
            ),
        ),
        migrations.AddField(
            model_name="aimodel",
            name="retires_on",
            field=models.DateField(blank=True, null=True, verbose_name="retirement"),
        ),
        migrations.AddField(
            model_name="aimodel",
            name="successor",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="predecessors",
                to="catalogue.aimodel",
                verbose_name="successor",
            ),
        ),
        migrations.AddField(
            model_name="alias",
            name="announced_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="announced"),
        ),
        migrations.AddField(
            model_name="alias",
            name="removed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="removed"),
        ),
        migrations.AddConstraint(
            model_name="aimodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("stage__in", ["deprecated", "retired"]),
                    models.Q(
                        ("deprecated_at__isnull", True),
                        ("retires_on__isnull", True),
                        ("successor__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="only_a_model_that_leaves_has_an_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="aimodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("successor__isnull", True),
                    models.Q(("successor", models.F("id")), _negated=True),
                    _connector="OR",
                ),
                name="a_model_is_succeeded_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="alias",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("name"),
                condition=models.Q(("removed_at__isnull", True)),
                name="an_alias_is_one_model_whatever_its_case",
            ),
        ),
        migrations.AddField(
            model_name="announcement",
            name="alias",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="announcements",
                to="catalogue.alias",
                verbose_name="alias",
            ),
        ),
        migrations.AddField(
            model_name="announcement",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="announcements",
                to="catalogue.aimodel",
                verbose_name="model",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="announcement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="notices",
                to="catalogue.announcement",
                verbose_name="announcement",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="model_notices",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="institution",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="proposals",
                to="members.institution",
                verbose_name="institution",
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="proposals",
                to="catalogue.aimodel",
                verbose_name="model",
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="proposed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="proposals",
                to=settings.AUTH_USER_MODEL,
                verbose_name="proposed by",
            ),
        ),
        migrations.AddField(
            model_name="stagechange",
            name="ballot",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.ballot",
                verbose_name="ballot",
            ),
        ),
        migrations.AddField(
            model_name="stagechange",
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
            model_name="stagechange",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="stage_changes",
                to="catalogue.aimodel",
                verbose_name="model",
            ),
        ),
        migrations.AddConstraint(
            model_name="announcement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["deprecated", "moved", "kept", "reminder", "alias"])
                ),
                name="an_announcement_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="announcement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "reminder")),
                fields=("model", "alias", "ends_on"),
                name="one_reminder_of_an_end",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("sent_at", None)), fields=["created_at"], name="unsent_notices"
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(
                fields=("announcement", "person"), name="an_announcement_reaches_a_person_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="proposal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at__isnull", True)),
                fields=("model",),
                name="a_model_is_proposed_once_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="stagechange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("after__in", ["deprecated", "production", "proposed", "retired", "staging"]),
                    models.Q(("before", models.F("after")), _negated=True),
                ),
                name="a_stage_change_leads_from_one_stage_to_another",
            ),
        ),
        migrations.RunSQL(HISTORY, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.RunPython(schedule, unschedule),
    ]
