"""Whose usage a page shows, out of what its reader may see."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    """A part of what `UsageRecord.for_user` gives; the reader's own applications are the smallest."""

    MINE = "mine", _("my applications")
    INSTITUTION = "institution", _("my institution")
    SERVED = "served", _("what our servers answered")
    FEDERATION = "federation", _("the whole federation")
