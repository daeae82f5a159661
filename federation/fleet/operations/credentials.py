"""A server's access token: kept sealed, replaced as a whole, never shown by a page."""

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from federation.fleet import policies
from federation.fleet.models import InferenceServer, UpstreamCredential
from federation.fleet.operations.servers import locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from routing.upstream.credentials import Secret, UnsealError, load_keys, seal, unseal


@transaction.atomic
def rotate_credential(
    *, by: Actor, server: InferenceServer, credential: Secret
) -> UpstreamCredential:
    """Put a new token in the place of the current one, which ends now."""
    sealed = seal(str(server.pk), credential, encryption_keys())
    return put_in_force(by=by, server=server, sealed=sealed)


@transaction.atomic
def put_in_force(*, by: Actor, server: InferenceServer, sealed: str) -> UpstreamCredential:
    """Put a token that is sealed for the server in the place of the current one, which ends now."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    now = timezone.now()
    locked.credentials.current().update(valid_to=now)
    row = UpstreamCredential(server=locked, ciphertext=sealed, valid_from=now)
    row.full_clean()
    row.save()
    record(
        by=by,
        verb="fleet.rotate_credential",
        obj=row,
        institution=locked.institution,
        diff={"server": locked.pk},
    )
    return row


def current_credential(server: InferenceServer) -> Secret | None:
    """Return the server's token, None when it has none that the present keys open."""
    row = server.credentials.current().first()
    if row is None:
        return None
    try:
        return unseal(str(server.pk), row.ciphertext, encryption_keys())
    except UnsealError:
        return None


def encryption_keys() -> tuple[Fernet, ...]:
    """Return the keys that seal access tokens. Raises `ImproperlyConfigured`."""
    try:
        return load_keys(settings.ENCRYPTION_KEY)
    except ValueError as fault:
        raise ImproperlyConfigured(f"ENCRYPTION_KEY cannot be used: {fault}") from None
