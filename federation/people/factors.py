"""Second factors: who must have one, whether this session has shown it, where a passkey works. No write.

A factor is an authenticator app or a passkey. Recovery codes stand in for one at a sign-in, and are none by themselves.
"""

import ipaddress
from collections.abc import Collection, Mapping
from enum import Enum
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator

from federation.people.models import User

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class Missing(Enum):
    """What a session lacks before its person's role may be exercised in it."""

    FACTOR = "factor"
    PROOF = "proof"


def what_is_missing(user: User, session: Mapping[str, Any]) -> Missing | None:
    """Return what keeps this session from the pages of the person's role, None when nothing does.

    Asked anew at every request: the role or the factor may be younger than the session.
    """
    if not user.needs_second_factor:
        return None
    if not has_factor(user):
        return Missing.FACTOR
    return None if was_shown(user, session) else Missing.PROOF


def has_factor(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type__in=FACTORS).exists())


def was_shown(user: User, session: Mapping[str, Any]) -> bool:
    """Whether the person has used a factor, or a recovery code, since this session began."""
    records = get_authentication_records(SimpleNamespace(session=session), user)
    return any(record.get("method") == "mfa" for record in records)


def is_last_factor(authenticator: Authenticator) -> bool:
    """Whether the account would be left without a factor."""
    others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=FACTORS)
    return authenticator.type in FACTORS and not others.exclude(pk=authenticator.pk).exists()


def protected_among(people: Collection[User]) -> frozenset[UUID]:
    """Return the ids of those who have a factor."""
    found = Authenticator.objects.filter(user__in=people, type__in=FACTORS)
    return frozenset(found.values_list("user_id", flat=True))


def passkeys_work_at(address: str) -> bool:
    """Whether browsers make passkeys there: for a name over TLS, or on the machine itself, never for a number."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
        return bool(host) and (parts.scheme == "https" or is_local)
    return False
