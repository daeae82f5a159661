"""What every row of the register has in common. No table, no rule of its own."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from routing.core.ids import uuid7


class Row(models.Model):
    """A row of the register: a time-ordered id, a date, and no deletion (foreign keys are PROTECT)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True
