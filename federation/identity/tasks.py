"""What the worker does by the clock about sign-ins. Safe to run twice."""

from federation.identity.models import MetadataSource
from federation.identity.operations import refresh_all
from federation.journal.actors import SYSTEM


def refresh_metadata() -> int:
    """Read every federation's metadata anew; return how many were refused."""
    return refresh_all(by=SYSTEM, sources=MetadataSource.objects.filter(ended_at__isnull=True))
