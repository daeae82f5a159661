"""What the clerk remembers: which register rows changed, how far the spool is stored, which requests are open.

Nothing here is shown to members; triggers and the clerk are the only writers.
"""

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
