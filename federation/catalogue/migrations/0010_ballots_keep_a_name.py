"""Ballots about models keep the model's name: see `members.0003`."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_models(apps: Apps, schema: BaseDatabaseSchemaEditor) -> None:
    ballots = apps.get_model("members", "Ballot").objects
    models = apps.get_model("catalogue", "AIModel").objects
    for ballot in ballots.filter(kind="model"):
        slug = models.values_list("slug", flat=True).get(pk=ballot.subject_id)
        ballots.filter(pk=ballot.pk).update(subject_name=slug)


class Migration(migrations.Migration):
    dependencies = (
        ("catalogue", "0009_notices_in_the_outbox"),
        ("members", "0003_ballots_keep_a_name"),
    )

    operations = (migrations.RunPython(name_models, migrations.RunPython.noop),)
