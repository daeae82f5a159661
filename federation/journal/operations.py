"""The one writer of the journal."""

import json
from collections.abc import Mapping

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.utils import timezone

from federation.journal.actors import Actor
from federation.journal.chain import event_hash
from federation.journal.models import FIRST_PREVIOUS_HASH, AuditEvent

CHAIN_LOCK = 4_805_901
"""Advisory lock of the chain's end; any number that no other lock of the product uses."""


@transaction.atomic
def record(
    *,
    by: Actor,
    verb: str,
    obj: models.Model,
    institution: models.Model | None = None,
    diff: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Append an event, inside the transaction of the act that it tells.

    `diff` maps a field to its new value, or to `[before, after]`: ids, states and numbers, never a name,
    an address or a secret. Call it last: from here to the end of the transaction other acts wait. Whoever holds a row
    that others name, such as an account or an institution, when they call it, holds it without its key (`no_key`).
    """
    kind, pseudonym, command = by.audit_identity
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
    last = AuditEvent.objects.order_by("-seq").first()
    event = AuditEvent(
        seq=last.seq + 1 if last else 1,
        at=timezone.now(),
        actor_kind=kind.value,
        actor_pseudonym=pseudonym,
        actor_command=command,
        institution_id=institution.pk if institution else None,
        verb=verb,
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk),
        # As PostgreSQL gives it back, so that the hash can be computed again.
        diff=json.loads(json.dumps(diff or {}, cls=DjangoJSONEncoder)),
        prev_hash=last.hash if last else FIRST_PREVIOUS_HASH,
    )
    event.hash = event_hash(event)
    event.save(force_insert=True)
    return event
