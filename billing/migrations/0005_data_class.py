"""A record tells which labels every site had to carry that served the request; those of before asked for none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_metrics_view"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagerecord",
            name="data_class",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="labels that every site had to carry which served it, with commas between",
                max_length=656,
                verbose_name="data class",
            ),
        ),
    ]
