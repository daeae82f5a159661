"""What the clerk remembers: which register rows changed, which versions routers run, how far the spool is
stored, which requests are open.

Nothing here belongs to a member, so there is no `for_user`; triggers and the clerk are the only writers.
"""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now


class RoutingChange(models.Model):
    """A register row that feeds a section of the router's table was written. Ids follow commit order."""

    section = models.CharField(max_length=16)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.pk} {self.section} {self.object_type} {self.object_id}"


class RouterProcessQuerySet(models.QuerySet["RouterProcess"]):
    def present(self) -> "RouterProcessQuerySet":
        """Routers that gave a sign of life in the last 10 s."""
        return self.filter(seen_at__gt=Now() - timedelta(seconds=10))


class RouterProcess(models.Model):
    """A router, and by section the version of the table that it decides from. Gone routers stay for a day."""

    incarnation = models.CharField(max_length=64, primary_key=True)
    versions = models.JSONField()
    seen_at = models.DateTimeField()

    objects = RouterProcessQuerySet.as_manager()

    def __str__(self) -> str:
        return self.incarnation


class SpoolCheckpoint(models.Model):
    """How many bytes of a segment are in the database; the row goes with its file."""

    segment = models.CharField(max_length=128, primary_key=True)
    offset = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.segment} {self.offset}"


class SpoolOpen(models.Model):
    """A request whose end was not read yet: `opened` and the last `ticked` are records as msgpack."""

    id = models.UUIDField(primary_key=True)
    incarnation = models.CharField(max_length=64)
    opened = models.BinaryField()
    ticked = models.BinaryField(null=True)

    def __str__(self) -> str:
        return str(self.pk)
