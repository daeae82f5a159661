"""Leave for the router to reach an address beyond the public Internet, for one server."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.fleet import policies
from federation.fleet.models import EgressGrant, InferenceServer
from federation.fleet.operations.servers import locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.models import User
from routing.upstream.addresses import canonical, reason_against
from routing.upstream.errors import GRANTABLE


@transaction.atomic
def grant_egress(
    *, by: Actor, server: InferenceServer, address: str, port: int, reason: str
) -> EgressGrant:
    """Allow exactly this address and port for this server. Raises `ValidationError` on one never allowed."""
    policies.check_grant_egress(by)
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    grant = EgressGrant(
        server=locked,
        address=_grantable(address),
        port=port,
        granted_by=by if isinstance(by, User) else None,
        reason=reason,
    )
    grant.full_clean()
    grant.save()
    record(
        by=by,
        verb="fleet.grant_egress",
        obj=grant,
        institution=locked.institution,
        diff={"server": locked.pk, "address": grant.address, "port": port},
    )
    return grant


def _grantable(text: str) -> str:
    """Return the address in its one spelling. Metadata services, multicast and the like serve no model."""
    try:
        address = canonical(text)
    except ValueError:
        raise ValidationError({"address": _("This is not an IP address.")}) from None
    reason = reason_against(address)
    if reason is not None and reason not in GRANTABLE:
        raise ValidationError(
            {
                "address": ValidationError(
                    _("The router never connects to %(address)s (%(reason)s)."),
                    code="never_granted",
                    params={"address": address, "reason": reason},
                )
            }
        )
    return str(address)


@transaction.atomic
def revoke_egress(*, by: Actor, grant: EgressGrant) -> EgressGrant:
    """Withdraw the leave. Raises `ValidationError` when it is withdrawn already."""
    policies.check_grant_egress(by)
    locked = EgressGrant.objects.select_for_update().get(pk=grant.pk)
    if locked.revoked_at is not None:
        raise ValidationError(_("This permission is withdrawn already."), code="revoked")
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])
    record(
        by=by,
        verb="fleet.revoke_egress",
        obj=locked,
        institution=locked.server.institution,
        diff={"server": locked.server_id, "address": locked.address, "port": locked.port},
    )
    return locked
