"""Which kind of IP address it is, as far as letting the router connect to it is concerned.

Everything that is not plainly a public unicast address is refused with a reason; sources: the IANA
special-purpose registries of IPv4 and IPv6 (RFC 6890), and the metadata services of clouds.
"""

import ipaddress

from routing.upstream.errors import RefusalReason

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # most clouds
        "168.63.129.16",  # Azure's host, a public address
        "192.0.0.192",  # Oracle
        "100.100.100.200",  # Alibaba
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
    )
)

_RANGES: tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, RefusalReason], ...] = tuple(
    (ipaddress.ip_network(text), reason)
    for text, reason in (
        ("0.0.0.0/8", RefusalReason.UNSPECIFIED),
        ("10.0.0.0/8", RefusalReason.PRIVATE),
        ("100.64.0.0/10", RefusalReason.SHARED),
        ("127.0.0.0/8", RefusalReason.LOOPBACK),
        ("169.254.0.0/16", RefusalReason.LINK_LOCAL),
        ("172.16.0.0/12", RefusalReason.PRIVATE),
        ("192.0.0.0/24", RefusalReason.RESERVED),
        ("192.0.2.0/24", RefusalReason.RESERVED),
        ("192.88.99.0/24", RefusalReason.RESERVED),
        ("192.168.0.0/16", RefusalReason.PRIVATE),
        ("198.18.0.0/15", RefusalReason.RESERVED),
        ("198.51.100.0/24", RefusalReason.RESERVED),
        ("203.0.113.0/24", RefusalReason.RESERVED),
        ("224.0.0.0/4", RefusalReason.MULTICAST),
        ("240.0.0.0/4", RefusalReason.RESERVED),
        ("::/128", RefusalReason.UNSPECIFIED),
        ("::1/128", RefusalReason.LOOPBACK),
        ("fc00::/7", RefusalReason.PRIVATE),
        ("fe80::/10", RefusalReason.LINK_LOCAL),
        ("ff00::/8", RefusalReason.MULTICAST),
        ("2001::/23", RefusalReason.RESERVED),
        ("2001:db8::/32", RefusalReason.RESERVED),
        ("2002::/16", RefusalReason.RESERVED),
        ("3fff::/20", RefusalReason.RESERVED),
    )
)


def canonical(text: str) -> IPAddress:
    """Return the address in its one spelling; an IPv4 address mapped into IPv6 becomes itself.

    The scope (`%eth0`) is left out: only link-local addresses need one, and no list below knows any. Raises
    `ValueError` on anything but a strictly written address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    return address


def reason_against(address: IPAddress) -> RefusalReason | None:
    """Return why a canonical address is no public unicast address, None when it is one."""
    if address in _METADATA:
        return RefusalReason.METADATA
    if embedded := _embedded(address):
        return reason_against(embedded)
    for network, reason in _RANGES:
        if address in network:
            return reason
    public = address.version == 4 or address in _PUBLIC_IPV6
    return None if public and address.is_global else RefusalReason.RESERVED


def _embedded(address: IPAddress) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that a NAT64 gateway would connect to."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
