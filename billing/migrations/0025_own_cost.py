"""What own servers answered, of a cost: nobody is billed for it. Sums that name no server could not tell."""

from django.db import migrations, models

WHOLE = ("billing_usagehour", "billing_usageday", "billing_usagemonth")
OF_INSTITUTIONS = ("billing_institutionday", "billing_institutionmonth")
KEY = ("since", "asking_institution_id", "key_id", "application_id", "status")
OF_KEYS = (("billing_keyday", "billing_usageday"), ("billing_keymonth", "billing_usagemonth"))


def tell(apps, schema_editor):
    for table in WHOLE + OF_INSTITUTIONS:
        schema_editor.execute(
            f"UPDATE {table} SET own_nano = cost_nano"
            " WHERE serving_institution_id = asking_institution_id AND cost_nano <> 0"
        )
    key = ", ".join(KEY)
    same = " AND ".join(f"part.{column} = whole.{column}" for column in KEY)
    for table, whole in OF_KEYS:
        schema_editor.execute(
            f"UPDATE {table} whole SET own_nano = part.own_nano FROM ("
            f"SELECT {key}, sum(own_nano) AS own_nano FROM {whole} WHERE own_nano <> 0 GROUP BY {key}"
            f") part WHERE {same}"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0024_alerts_of_an_amount"),
    ]

    operations = [
        migrations.AddField(
            model_name="institutionday",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.AddField(
            model_name="institutionmonth",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.AddField(
            model_name="keyday",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.AddField(
            model_name="keymonth",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.AddField(
            model_name="usageday",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.AddField(
            model_name="usagemonth",
            name="own_nano",
            field=models.BigIntegerField(
                db_default=0, default=0, verbose_name="of which own servers’, which is not billed"
            ),
        ),
        migrations.RunPython(tell, migrations.RunPython.noop, elidable=False),
    ]
