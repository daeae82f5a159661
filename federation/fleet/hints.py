"""What whoever lends a server has to know of the network: our addresses, and the ports that we reach."""

from django.conf import settings
from django.utils.translation import gettext as _

from routing.upstream.addresses import canonical, reason_against
from routing.upstream.errors import GRANTABLE_BY_RANGE
from routing.upstream.ports import written


def firewall_hint() -> str:
    """Return what to tell whoever minds the firewall; the addresses are the operator's to set."""
    if settings.EGRESS_ADDRESSES:
        return _("Open your firewall for the router’s addresses: %(addresses)s.") % {
            "addresses": ", ".join(settings.EGRESS_ADDRESSES)
        }
    return _("Open your firewall for the router: the federation tells you its addresses.")


def listed_ports() -> str:
    """Return the ports that public addresses may have, in words."""
    return written(settings.EGRESS_PORTS)


def lies_in_private_network(address: str) -> bool:
    """Say whether leave for a network of its site would let the router reach this address."""
    return reason_against(canonical(address)) in GRANTABLE_BY_RANGE
