"""Writes about keys that others already know: one is replaced in time, one that was found somewhere ends at once."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from federation.access import policies
from federation.access.keys import KEY_PATTERN
from federation.access.mails import tell_of_leak
from federation.access.models import ApiKey, Limit
from federation.access.operations import (
    issue_key,
    revoke_key,
    revoke_leaked_key,
    set_limit,
)
from federation.access.trials import carry_over
from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.members.models import Institution
from routing.core.enums import Measure, PriorityClass, RoutingMode
from routing.core.keys import MAX_KEY_LENGTH, digest
from routing.upstream.credentials import Secret

MOST_TEXT = 20_000
"""Characters of a text in which keys are looked for."""
MOST_KEYS = 50
"""Keys of one text."""


@transaction.atomic
def replace_key(
    *, by: Actor, key: ApiKey, old_until: datetime, expires_at: datetime | None = None
) -> tuple[ApiKey, Secret]:
    """Make a key that may do the same, with the same limits; the old one works until `old_until` at the latest.

    Raises `ValidationError` when it has ended, or is being replaced already.
    """
    old = ApiKey.objects.select_for_update().get(pk=key.pk)
    policies.check_replace_key(by, old, old_until)
    new, secret = issue_key(
        by=by,
        application=old.application,
        name=old.name,
        priority=PriorityClass(old.priority),
        routing_mode=RoutingMode(old.routing_mode),
        models=list(old.models.all()),
        origins=old.origins,
        endpoints=old.endpoints,
        networks=old.networks,
        labels=old.labels,
        tells=old.tells,
        threshold=old.threshold,
        answers_200_when_full=old.answers_200_when_full,
        expires_at=expires_at,
        replaces=old,
    )
    carry_over(old=old, new=new)
    for limit in Limit.objects.in_force().filter(key=old):
        set_limit(by=by, owner=new, measure=Measure(limit.measure), most=limit.most)
    before = old.expires_at
    if before is None or old_until < before:
        old.expires_at = old_until
        old.save(update_fields=["expires_at"])
    record(
        by=by,
        verb="access.replace_key",
        obj=old,
        institution=old.application.institution,
        diff={"successor": new.pk, "expires_at": [before, old.expires_at]},
    )
    return new, secret


@transaction.atomic
def revoke_keys(
    *, by: Actor, institution: Institution, key_ids: Collection[UUID], reason: str
) -> list[ApiKey]:
    """Revoke those of an institution's keys that are not yet revoked; none of them when one is refused."""
    policies.check_revoke_all(by, institution)
    keys = ApiKey.objects.filter(
        pk__in=key_ids, application__institution=institution, revoked_at__isnull=True
    )
    if not key_ids:
        raise ValidationError(_("Tick the keys to revoke."), code="none")
    return [revoke_key(by=by, key=key, reason=reason) for key in keys.order_by("pk")]


@transaction.atomic
def report_leak(*, text: str, by: Actor = SYSTEM) -> list[ApiKey]:
    """End every key in `text` that still works; its people are told by e-mail. Return these keys.

    Whoever has a key's text could use it, so nobody is asked who they are.
    """
    policies.check_report_leak(by)
    pepper = settings.PEPPER.encode()
    digests = {digest(pepper, candidate) for candidate in keys_in(text)}
    found = list(ApiKey.objects.filter(digest__in=digests, revoked_at__isnull=True).order_by("pk"))
    return [ended for key in found if (ended := _end_leaked(by, key))]


def keys_in(text: str) -> set[str]:
    """Return what may be keys in a text: ours wherever they stand, and the whole of it, for keys from elsewhere."""
    looked_at = text[:MOST_TEXT]
    found = set(KEY_PATTERN.findall(looked_at)[:MOST_KEYS])
    if 0 < len(whole := looked_at.strip()) <= MAX_KEY_LENGTH:
        found.add(whole)
    return found


def _end_leaked(by: Actor, key: ApiKey) -> ApiKey | None:
    """Revoke a key and have its people told; None when somebody has just been faster."""
    with override(settings.LANGUAGE_CODE):
        reason = _("reported as found in public on %(day)s")
        reason %= {"day": timezone.localdate().isoformat()}
    try:
        ended = revoke_leaked_key(by=by, key=key, reason=reason)
    except ValidationError:
        return None
    tell_of_leak(ended)
    return ended
