"""The one guard for every outbound connection of the router.

Members register addresses; the guard decides whether the router may connect there: https to the listed ports of
public addresses, and whatever the federation granted, address by address or a private network as a whole. It
resolves a name once, checks every address, and the caller connects to a checked one: a name that changes its mind
in between changes nothing.
Not here: the connections themselves (`client`, `guarded`).
"""

import ipaddress
import re

import msgspec

from routing.upstream.addresses import IPAddress, canonical, reason_against
from routing.upstream.errors import GRANTABLE_BY_RANGE, EgressRefused, RefusalReason
from routing.upstream.ports import DEFAULT
from routing.upstream.ranges import NotGrantableError, read_range
from routing.upstream.resolving import Lookup, system_lookup, unknown

Grants = tuple[tuple[str, int], ...]
"""(address, port) pairs that may be reached though they are not public, or without TLS, or on another port.

An address with a prefix length, as in `10.2.0.0/24`, is a private network, of which every address is meant."""

DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_HOST = 253
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<prefix>(?:/[a-z0-9._~-]+)*)/?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SENTENCES = {
    RefusalReason.PLAIN_HTTP: "is reached without TLS",
    RefusalReason.PORT: "has a port that is not listed",
    RefusalReason.LOOPBACK: "is this machine itself",
    RefusalReason.PRIVATE: "is a private address",
    RefusalReason.SHARED: "is an address shared by a provider (100.64.0.0/10)",
    RefusalReason.LINK_LOCAL: "is a link-local address",
    RefusalReason.METADATA: "is a cloud's metadata service",
    RefusalReason.MULTICAST: "is a multicast address",
    RefusalReason.RESERVED: "is a reserved address",
    RefusalReason.UNSPECIFIED: "is no address of a host",
}


class Target(msgspec.Struct, frozen=True):
    """Where a base URL points: host without brackets, prefix without a slash at its end."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """What goes into the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL in its one spelling."""
        return f"{self.scheme}://{self.authority}{self.prefix}"


class Address(msgspec.Struct, frozen=True):
    """An address that the guard has checked."""

    ip: str
    port: int


class EgressPolicy(msgspec.Struct, frozen=True):
    """https to listed ports of public addresses, and what is granted to all; a server adds grants of its own."""

    grants: Grants = ()
    ports: frozenset[int] = DEFAULT

    def check(self, ip: str, port: int, *, tls: bool, grants: Grants = ()) -> Address:
        """Return the address to connect to. Raises `EgressRefused`."""
        address = canonical(ip)
        reason = reason_against(address) or self._reason_against_way(port, tls=tls)
        if reason is not None:
            refusal = EgressRefused(
                reason, _sentence(reason, address, port), address=str(address), port=port
            )
            granted = any(_lifts(each, address, port, reason) for each in self.grants + grants)
            if not (refusal.grantable and granted):
                raise refusal
        return Address(str(address), port)

    def _reason_against_way(self, port: int, *, tls: bool) -> RefusalReason | None:
        if not tls:
            return RefusalReason.PLAIN_HTTP
        return None if port in self.ports else RefusalReason.PORT


def parse_base_url(text: str) -> Target:
    """Return the target of `http(s)://host[:port][/prefix]`. Raises `EgressRefused` on anything else.

    A `/v1` at the end, which requests add themselves and people paste, is left out.
    """
    parts = _BASE_URL.fullmatch(text)
    if parts is None:
        raise bad_url()
    scheme = parts["scheme"].lower()
    segments = [segment for segment in parts["prefix"].split("/") if segment]
    if any(segment in (".", "..") for segment in segments):
        raise bad_url()
    if segments and segments[-1].lower() == "v1":
        segments.pop()
    return Target(
        scheme=scheme,
        host=_host(parts["host"].lower()),
        port=_port(parts["port"] or str(DEFAULT_PORTS[scheme])),
        prefix="".join(f"/{segment}" for segment in segments),
    )


async def resolve(
    target: Target, policy: EgressPolicy, grants: Grants = (), lookup: Lookup = system_lookup
) -> tuple[Address, ...]:
    """Return the addresses of `target`, each checked: if one is refused, all are.

    Raises `EgressRefused`, or `ConnectFailed` when the name has no address.
    """
    literal = _literal(target.host)
    found = (target.host,) if literal else await lookup(target.host, target.port)
    if not found:
        raise unknown(target.host)
    return tuple(policy.check(ip, target.port, tls=target.tls, grants=grants) for ip in found)


def _lifts(grant: tuple[str, int], address: IPAddress, port: int, reason: RefusalReason) -> bool:
    """Say whether a grant lets the router connect there in spite of `reason`."""
    text, granted = grant
    if port != granted:
        return False
    if "/" not in text:
        return _literal(text) == address
    try:
        return reason in GRANTABLE_BY_RANGE and address in read_range(text)
    except NotGrantableError:
        return False


def _host(text: str) -> str:
    """Return the host in its one spelling; numbers that merely mean an address are refused."""
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise bad_url() from None
    labels = text.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise bad_url() from None
    if len(text) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise bad_url()
    return text


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise bad_url()
    return port


def _literal(host: str) -> IPAddress | None:
    try:
        return canonical(host)
    except ValueError:
        return None


def bad_url() -> EgressRefused:
    """Return the refusal of a text that is no base URL."""
    return EgressRefused(
        RefusalReason.BAD_URL,
        "The address must read http(s)://host[:port][/path], in plain ASCII, "
        "without a user, a query or a fragment, an IP address in its usual spelling.",
    )


def _sentence(reason: RefusalReason, address: IPAddress, port: int) -> str:
    way_out = " and was not granted to it" if EgressRefused(reason, "").grantable else ""
    return f"The router may not connect to {address} port {port}: it {_SENTENCES[reason]}{way_out}."
