"""Machines and grids: what is declared in technical forms is the server's own."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0007_keys_are_tried"),
        ("members", "0005_no_truncation"),
    ]

    operations = [
        migrations.AddField(
            model_name="inferenceserver",
            name="gpu_count",
            field=models.PositiveSmallIntegerField(
                blank=True,
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(4096),
                ],
                verbose_name="number of GPUs",
            ),
        ),
        migrations.AddField(
            model_name="inferenceserver",
            name="gpu_type",
            field=models.CharField(
                blank=True, db_default="", max_length=80, verbose_name="type of GPU"
            ),
        ),
        migrations.AddField(
            model_name="site",
            name="grid",
            field=models.CharField(
                choices=[
                    ("FRA", "France"),
                    ("BEL", "Belgium"),
                    ("DEU", "Germany"),
                    ("SWE", "Sweden"),
                    ("USA", "United States"),
                    ("WOR", "Mean of the world"),
                ],
                db_default="FRA",
                default="FRA",
                max_length=3,
                verbose_name="electricity grid",
            ),
        ),
        migrations.AddConstraint(
            model_name="site",
            constraint=models.CheckConstraint(
                condition=models.Q(("grid__in", ["FRA", "BEL", "DEU", "SWE", "USA", "WOR"])),
                name="a_grid_is_known",
            ),
        ),
        migrations.RunSQL(
            "UPDATE fleet_inferenceserver server SET gpu_type = form.gpu_type, gpu_count = form.gpu_count"
            " FROM fleet_technicalform form WHERE form.server_id = server.id",
            migrations.RunSQL.noop,
        ),
    ]
