import django.core.serializers.json
from django.db import migrations, models

import routing.core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
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
                ("seq", models.BigIntegerField(unique=True, verbose_name="number")),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("person", "person"),
                            ("command", "command"),
                            ("system", "system"),
                        ],
                        max_length=8,
                        verbose_name="actor",
                    ),
                ),
                (
                    "actor_pseudonym",
                    models.UUIDField(db_index=True, null=True, verbose_name="pseudonym"),
                ),
                (
                    "actor_command",
                    models.CharField(blank=True, max_length=64, verbose_name="command"),
                ),
                (
                    "institution_id",
                    models.UUIDField(db_index=True, null=True, verbose_name="institution"),
                ),
                ("verb", models.CharField(max_length=64, verbose_name="verb")),
                ("object_type", models.CharField(max_length=64, verbose_name="kind of object")),
                ("object_id", models.CharField(max_length=64, verbose_name="object")),
                (
                    "diff",
                    models.JSONField(
                        default=dict,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        verbose_name="change",
                    ),
                ),
                ("prev_hash", models.CharField(max_length=64, unique=True)),
                ("hash", models.CharField(max_length=64, unique=True)),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "ordering": ("-seq",),
                "indexes": [
                    models.Index(fields=["object_type", "object_id"], name="journal_by_object")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("actor_command", ""),
                                ("actor_kind", "person"),
                                ("actor_pseudonym__isnull", False),
                            ),
                            models.Q(
                                ("actor_kind", "command"),
                                ("actor_pseudonym__isnull", True),
                                models.Q(("actor_command", ""), _negated=True),
                            ),
                            models.Q(
                                ("actor_command", ""),
                                ("actor_kind", "system"),
                                ("actor_pseudonym__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="an_event_names_its_actor_by_kind",
                    )
                ],
            },
        ),
    ]
