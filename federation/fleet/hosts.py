"""Where a server's jobs may run: names, every name below one, and networks, as its technical form lists them.

A job tells the router where to send prompts and the access key: whoever has got hold of its token must not be able to
lead them elsewhere. Not here: whether the router may connect there at all, which is the egress guard's.
"""

import ipaddress
import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from routing.upstream.egress import Target

MOST_HOSTS = 20
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_ANY_BELOW = "*."
_FEWEST_DOTS = 1
"""In what follows `*.`: `*.fr` would be half the country."""


def read_hosts(text: str) -> list[str]:
    """Return the hosts of a text, one spelling each. Raises `ValidationError`, which names the wrong one."""
    hosts = list(dict.fromkeys(_canonical(word) for word in re.split(r"[\s,;]+", text) if word))
    if len(hosts) > MOST_HOSTS:
        raise ValidationError(_("At most %(count)s lines.") % {"count": MOST_HOSTS})
    return hosts


def is_among(target: Target, hosts: Iterable[str]) -> bool:
    """Say whether one of `hosts` means where `target` leads."""
    return any(_means(host, target.host) for host in hosts)


def _canonical(word: str) -> str:
    lower = word.lower().rstrip(".")
    try:
        return str(ipaddress.ip_network(lower))
    except ValueError:
        name = lower.removeprefix(_ANY_BELOW)
        is_too_wide = lower.startswith(_ANY_BELOW) and name.count(".") < _FEWEST_DOTS
        if is_too_wide or _NAME.fullmatch(name) is None or name.replace(".", "").isdigit():
            told = _(
                "“%(word)s” is none of these: a name such as node7.hpc.univ.fr, all names below one such as "
                "*.hpc.univ.fr, an address, or a network such as 10.2.0.0/24."
            )
            raise ValidationError(told % {"word": word[:80]}) from None
        return lower


def _means(host: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(other) in ipaddress.ip_network(host)
    except ValueError:
        pass
    if host.startswith(_ANY_BELOW):
        return other.lower().endswith(host[1:])
    return other.lower() == host
