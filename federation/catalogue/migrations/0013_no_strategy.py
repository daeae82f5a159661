"""The column of strategies goes: policies have held them since `0005`, and no version that is installed reads it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0012_parameters")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE catalogue_aimodel DROP COLUMN IF EXISTS strategy",
            "ALTER TABLE catalogue_aimodel ADD COLUMN strategy varchar(16) NOT NULL DEFAULT 'affinity'",
        )
    ]
