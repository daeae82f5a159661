"""What is asked of one model is found without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0022_sums_by_institution_and_key"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="usageday",
            index=models.Index(fields=["model_id", "since"], name="usageday_by_model"),
        ),
        migrations.AddIndex(
            model_name="usagerecord",
            index=models.Index(fields=["model_id", "id"], name="usage_by_model"),
        ),
    ]
