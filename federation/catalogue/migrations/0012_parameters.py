"""How large a model is, which the energy of its answers is reckoned from."""

from decimal import Decimal

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0011_no_truncation"),
    ]

    operations = [
        migrations.AddField(
            model_name="aimodel",
            name="active_parameters",
            field=models.DecimalField(
                blank=True,
                decimal_places=3,
                max_digits=8,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("0.001"))],
                verbose_name="active parameters, in billions",
            ),
        ),
        migrations.AddField(
            model_name="aimodel",
            name="parameters",
            field=models.DecimalField(
                blank=True,
                decimal_places=3,
                max_digits=8,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("0.001"))],
                verbose_name="parameters, in billions",
            ),
        ),
        migrations.AddConstraint(
            model_name="aimodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("active_parameters__isnull", True),
                    models.Q(
                        ("active_parameters__lte", models.F("parameters")),
                        ("parameters__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="active_parameters_are_some_of_all",
            ),
        ),
        migrations.AddConstraint(
            model_name="aimodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("parameters__gt", 0),
                        models.Q(
                            ("active_parameters__isnull", True),
                            ("active_parameters__gt", 0),
                            _connector="OR",
                        ),
                    ),
                    ("parameters__isnull", True),
                    _connector="OR",
                ),
                name="a_model_has_parameters",
            ),
        ),
    ]
