"""How often one address may use a page that anybody may use. Counted in the portal's memory, per minute."""

import ipaddress
import time

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest

SECONDS = 60


def client_address(request: HttpRequest) -> str:
    """Return who asks: the router in front names the address that it believes."""
    return str(get_adapter().get_client_ip(request))


def may_go_on(request: HttpRequest, action: str, most: int) -> bool:
    """Count this use, and say whether the address stays within `most` a minute."""
    minute = int(time.time()) // SECONDS
    key = f"throttle:{action}:{minute}:{_neighbours(client_address(request))}"
    cache.add(key, 0, 2 * SECONDS)
    return cache.incr(key) <= most


def _neighbours(address: str) -> str:
    """Return the address, of IPv6 the network that one client is usually given."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
