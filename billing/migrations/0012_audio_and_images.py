"""Seconds of audio and images: counted, priced, charged. Of requests of before there are none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0011_energy"),
    ]

    operations = [
        migrations.AddField(
            model_name="priceversion",
            name="audio_second_nano",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="second of audio"),
        ),
        migrations.AddField(
            model_name="priceversion",
            name="image_nano",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="image"),
        ),
        migrations.AddField(
            model_name="usagecharge",
            name="audio_ms",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="milliseconds of audio"
            ),
        ),
        migrations.AddField(
            model_name="usagecharge",
            name="images",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="images"),
        ),
        migrations.AddField(
            model_name="usageday",
            name="audio_ms",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="milliseconds of audio"
            ),
        ),
        migrations.AddField(
            model_name="usageday",
            name="images",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="images"),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="audio_ms",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="milliseconds of audio"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="images",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="images"),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="audio_ms",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="milliseconds of audio"
            ),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="images",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="images"),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="audio_ms",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="milliseconds of audio"
            ),
        ),
        migrations.AddField(
            model_name="usagerecord",
            name="images",
            field=models.IntegerField(db_default=0, default=0, verbose_name="images"),
        ),
        migrations.AlterField(
            model_name="statementline",
            name="unit",
            field=models.CharField(
                blank=True,
                choices=[
                    ("prompt", "tokens read"),
                    ("cached", "tokens from a cache"),
                    ("completion", "tokens written"),
                    ("embedding", "tokens of embeddings"),
                    ("audio", "seconds of audio"),
                    ("image", "images"),
                ],
                max_length=16,
                verbose_name="unit",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("audio_second_nano__isnull", True),
                    ("audio_second_nano__range", (0, 1000000000)),
                    _connector="OR",
                ),
                name="a_price_of_audio_second_is_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("image_nano__isnull", True),
                    ("image_nano__range", (0, 1000000000)),
                    _connector="OR",
                ),
                name="a_price_of_image_is_possible",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagerecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("audio_ms__gte", 0), ("images__gte", 0)),
                name="audio_and_images_are_never_negative",
            ),
        ),
    ]
