"""Keys may be bound to paths, addresses and labels of sites and replace one another; several people may manage an application."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_limits"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="endpoints",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=32),
                blank=True,
                default=list,
                size=None,
                verbose_name="endpoints",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="labels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                default=list,
                size=None,
                verbose_name="data class",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=49),
                blank=True,
                default=list,
                size=None,
                verbose_name="addresses",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="replaces",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="successors",
                to="access.apikey",
                verbose_name="replaces",
            ),
        ),
        migrations.AddField(
            model_name="application",
            name="managers",
            field=models.ManyToManyField(
                blank=True,
                related_name="managed_applications",
                to=settings.AUTH_USER_MODEL,
                verbose_name="managers",
            ),
        ),
    ]
