"""Whether this copy is the demonstration, which every page then says."""

from typing import cast

from django.core.cache import caches

from federation.journal.models import AuditEvent

COMMAND = "demo"
"""It builds a demonstration in an empty database only: there, the journal's first act is its own."""
REMEMBERED_FOR_SECONDS = 60


def is_demonstration() -> bool:
    known = caches["memory"].get_or_set("is_demonstration", _looked_up, REMEMBERED_FOR_SECONDS)
    return cast(bool, known)


def _looked_up() -> bool:
    first = AuditEvent.objects.order_by("seq").values_list("actor_command", flat=True).first()
    return first == COMMAND
