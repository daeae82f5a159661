"""Whose address a request comes from, and how often it came with a wrong key lately.

The address is the connection's, or what a trusted proxy says. All memory of addresses is bounded.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

from routing.core.tally import Tally
from routing.gateway.settings import IPNetwork

MAX_ADDRESSES = 10_000
"""Addresses of which wrong keys are remembered; the one that was longest without is forgotten first."""
MAX_KNOWN = 50_000
"""Pairs of an address and a key that was right there."""
SECONDS, STEPS = 60.0, 12


def client_address(forwarded_for: bytes, peer: str, proxies: Sequence[IPNetwork]) -> str:
    """Return who asks: the connection's other end, or whom a trusted proxy says to pass on."""
    if not is_within(peer, tuple(proxies)):
        return peer
    return _first_untrusted(forwarded_for, tuple(proxies)) or peer


@lru_cache(maxsize=10_000)
def is_within(address: str, networks: tuple[IPNetwork, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


class WrongKeys:
    """How many wrong keys an address sent in the last minute, at most `most` of which are looked at.

    Behind one address there may be a whole university: keys that were right there lately go on being taken.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._wrong: OrderedDict[str, Tally] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_seconds(self, address: str, now: float) -> float:
        """Return for how long no other key of this address is looked at, 0 when they are."""
        tally = self._wrong.get(_neighbours(address)) if self._wrong else None
        if tally is None:
            return 0.0
        tally.roll(now)
        if tally.total < self._most:
            return 0.0
        return tally.falls_to(self._most - 1) - now

    def is_known(self, address: str, key_id: str) -> bool:
        """Say whether this key was right, from this address."""
        return (address, key_id) in self._right

    def note_wrong(self, address: str, now: float) -> None:
        group = _neighbours(address)
        tally = self._wrong.pop(group, None) or Tally(SECONDS, STEPS)
        tally.roll(now)
        tally.add(1, now)
        self._wrong[group] = tally
        if len(self._wrong) > MAX_ADDRESSES:
            self._wrong.popitem(last=False)

    def note_right(self, address: str, key_id: str) -> None:
        pair = address, key_id
        self._right[pair] = None
        self._right.move_to_end(pair)
        if len(self._right) > MAX_KNOWN:
            self._right.popitem(last=False)

    def __len__(self) -> int:
        return len(self._wrong)


@lru_cache(maxsize=10_000)
def _neighbours(address: str) -> str:
    """Return the address, of IPv6 the network that one client is usually given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def _first_untrusted(value: bytes, proxies: tuple[IPNetwork, ...]) -> str:
    """Return the address nearest to us that is no proxy of ours: what is left of it, anybody may have written."""
    nearest = ""
    for word in reversed(value.decode("latin-1").split(",")):
        nearest = word.strip()
        if not is_within(nearest, proxies):
            break
    try:
        return str(ipaddress.ip_address(nearest))
    except ValueError:
        return ""
