import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="RoutingChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("section", models.CharField(max_length=16)),
                ("object_type", models.CharField(max_length=64)),
                ("object_id", models.CharField(max_length=64)),
                (
                    "at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RouterProcess",
            fields=[
                (
                    "incarnation",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("versions", models.JSONField()),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SpoolCheckpoint",
            fields=[
                ("segment", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("offset", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="SpoolOpen",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("incarnation", models.CharField(max_length=64)),
                ("opened", models.BinaryField()),
                ("ticked", models.BinaryField(null=True)),
            ],
        ),
    ]
