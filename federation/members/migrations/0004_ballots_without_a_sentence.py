"""The question of a ballot is built from its subject's name."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("members", "0003_ballots_keep_a_name"),)

    operations = (migrations.RemoveField("ballot", "question"),)
