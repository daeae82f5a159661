"""An institution may have become a part of another."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0005_no_truncation"),
    ]

    operations = [
        migrations.AddField(
            model_name="institution",
            name="successor",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged",
                to="members.institution",
                verbose_name="has become a part of",
            ),
        ),
    ]
