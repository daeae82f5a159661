"""Which private networks may be granted as a whole, and how large they may be.

Only what institutions use inside (RFC 1918, RFC 6598, RFC 4193); this machine, link-local, multicast and metadata
addresses are in none of them, or are refused by the guard even so.
"""

import ipaddress
from enum import StrEnum

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
SHORTEST_PREFIX = {4: 16, 6: 48}
"""The largest network: what a site has, not what a whole region has."""


class RangeFault(StrEnum):
    """Why a network cannot be granted; pages translate these codes."""

    NO_NETWORK = "no_network"
    NOT_PRIVATE = "not_private"
    TOO_LARGE = "too_large"


class NotGrantableError(ValueError):
    """This network cannot be granted as a whole."""

    def __init__(self, fault: RangeFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def read_range(text: str) -> Network:
    """Return the network in a text such as `10.2.0.0/24`, or of one address. Raises `NotGrantableError`."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise NotGrantableError(RangeFault.NO_NETWORK) from None
    if not any(_lies_in(network, private) for private in _PRIVATE):
        raise NotGrantableError(RangeFault.NOT_PRIVATE)
    if network.prefixlen < SHORTEST_PREFIX[network.version]:
        raise NotGrantableError(RangeFault.TOO_LARGE)
    return network


def _lies_in(network: Network, other: Network) -> bool:
    match network, other:
        case ipaddress.IPv4Network(), ipaddress.IPv4Network():
            return network.subnet_of(other)
        case ipaddress.IPv6Network(), ipaddress.IPv6Network():
            return network.subnet_of(other)
    return False
