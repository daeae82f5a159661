"""A record tells which model was asked for, where a declared fallback answered; those of before had none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_data_class"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagerecord",
            name="asked_model_id",
            field=models.UUIDField(
                help_text="the model asked for, where another one was declared to answer in its place",
                null=True,
                verbose_name="model that a fallback stood in for",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="model_id",
            field=models.UUIDField(
                help_text="whose servers answered, or would have had to", verbose_name="model"
            ),
        ),
    ]
