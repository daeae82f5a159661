"""A ballot keeps what its subject was called, in no language, instead of a sentence in its opener's."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_institutions(apps: Apps, schema: BaseDatabaseSchemaEditor) -> None:
    """Models are named by the catalogue, which knows them."""
    ballots = apps.get_model("members", "Ballot").objects
    memberships = apps.get_model("members", "Membership").objects
    for ballot in ballots.filter(kind="membership"):
        named = memberships.filter(pk=ballot.subject_id).values_list("institution__name", flat=True)
        ballots.filter(pk=ballot.pk).update(subject_name=named.get())


class Migration(migrations.Migration):
    dependencies = (("members", "0002_committee"),)

    operations = (
        migrations.AddField(
            "ballot",
            "subject_name",
            models.CharField(default="", max_length=300, verbose_name="name"),
            preserve_default=False,
        ),
        migrations.RunPython(name_institutions, migrations.RunPython.noop),
    )
