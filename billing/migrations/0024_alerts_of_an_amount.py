"""Thresholds of a budget are told of once for each amount that it has; those told of before were of the present one."""

from django.db import migrations, models

PRESENT = """
UPDATE billing_budgetalert SET most = budget.most FROM billing_budget budget WHERE budget.id = budget_id;
"""
KEPT_ONCE = """
DELETE FROM billing_budgetalert later USING billing_budgetalert earlier
WHERE later.budget_id = earlier.budget_id AND later.since = earlier.since
    AND later.threshold = earlier.threshold AND later.id > earlier.id;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0023_usage_by_model")]

    operations = [
        migrations.AddField(
            model_name="budgetalert",
            name="most",
            field=models.BigIntegerField(default=0, verbose_name="at most"),
            preserve_default=False,
        ),
        migrations.RunSQL(PRESENT, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="budgetalert", name="a_threshold_is_told_of_once"),
        migrations.RunSQL(migrations.RunSQL.noop, KEPT_ONCE),
        migrations.AddConstraint(
            model_name="budgetalert",
            constraint=models.UniqueConstraint(
                fields=("budget", "since", "threshold", "most"), name="a_threshold_is_told_of_once"
            ),
        ),
    ]
