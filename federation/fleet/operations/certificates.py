"""Whom the router trusts at a server's address, and the certificate that it shows there."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from federation.fleet import mails, policies
from federation.fleet.certificates import Shown, described
from federation.fleet.models import ClientCertificate, InferenceServer, TechnicalForm
from federation.fleet.operations.credentials import encryption_keys
from federation.fleet.operations.servers import locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.seen import SeenField, changed_meanwhile
from routing.upstream.credentials import seal


@transaction.atomic
def trust_authorities(
    *, by: Actor, server: InferenceServer, authorities: str, seen: str = ""
) -> InferenceServer:
    """Trust these authorities (PEM, as `certificates.read_authorities` returns it) instead of the system's.

    An empty text: the system's again. `seen` is the mark of the `certificates_of` the server that `by` looked at,
    here as below; raises `ValidationError` when somebody else has changed them since.
    """
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    _check_seen(locked, seen)
    locked.ca_bundle = authorities
    locked.save(update_fields=["ca_bundle"])
    TechnicalForm.objects.filter(server=locked).update(
        ca_bundle=authorities, number=F("number") + 1
    )
    record(
        by=by,
        verb="fleet.trust_authorities",
        obj=locked,
        institution=locked.institution,
        diff={"certificates": len(described(authorities))},
    )
    return locked


@transaction.atomic
def show_certificate(
    *, by: Actor, server: InferenceServer, shown: Shown, seen: str = ""
) -> ClientCertificate:
    """Show this certificate from now on; the one before ends."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    _check_seen(locked, seen)
    now = timezone.now()
    ClientCertificate.objects.current().filter(server=locked).update(valid_to=now)
    row = ClientCertificate(
        server=locked,
        chain=shown.identity.chain,
        ciphertext=seal(str(locked.pk), shown.identity.key, encryption_keys()),
        expires_at=shown.expires_at,
        valid_from=now,
    )
    row.full_clean()
    row.save()
    record(
        by=by,
        verb="fleet.show_certificate",
        obj=row,
        institution=locked.institution,
        diff={"server": locked.pk, "expires": shown.expires_at.date().isoformat()},
    )
    return row


@transaction.atomic
def remove_certificate(*, by: Actor, server: InferenceServer, seen: str = "") -> int:
    """Show none any more; return whether one was shown."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    _check_seen(locked, seen)
    ended = (
        ClientCertificate.objects.current().filter(server=locked).update(valid_to=timezone.now())
    )
    record(
        by=by,
        verb="fleet.remove_certificate",
        obj=locked,
        institution=locked.institution,
        diff={"ended": ended},
    )
    return ended


def certificates_of(server: InferenceServer) -> dict[str, object]:
    """Return what is in force: whom the router trusts at this server, and what it shows."""
    shown = ClientCertificate.objects.current().filter(server=server).values_list("pk", flat=True)
    return {"trusted": server.ca_bundle, "shown": list(shown)}


def _check_seen(server: InferenceServer, seen: str) -> None:
    if not SeenField(certificates_of(server)).is_current(seen):
        raise changed_meanwhile()


@transaction.atomic
def warn_of_expiry(*, by: Actor, certificate: ClientCertificate) -> None:
    """Tell a server's IT department, once, that the certificate shown to it expires soon.

    Nobody could be told: it is tried again the next night.
    """
    policies.check_warn(by)
    rows = ClientCertificate.objects.select_related("server__site__institution")
    locked = rows.select_for_update(of=("self",)).get(pk=certificate.pk)
    if locked.warned_at is not None or locked.valid_to is not None:
        return
    if not mails.tell_certificate_ends(locked):
        return
    locked.warned_at = timezone.now()
    locked.save(update_fields=["warned_at"])
    record(
        by=by,
        verb="fleet.warn_of_expiry",
        obj=locked,
        institution=locked.server.institution,
        diff={"server": locked.server_id},
    )
