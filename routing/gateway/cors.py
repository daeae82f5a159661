"""Web pages of other origins: which may call the interface with a key, and what browsers are told about it.

A key names its origins; a setting may allow some for every key. A preflight carries no key, so an origin that
any key names is let through there, and the answer itself is marked only for the key's own.
"""

from collections.abc import Iterable

from routing.core.table import Principal

METHODS = b"GET, POST, OPTIONS"
EXPOSED = b", ".join(
    [
        *(b"x-request-id", b"retry-after", b"x-ilaas-explain", b"x-ilaas-fallback"),
        b"x-ilaas-impact",
        *(b"deprecation", b"sunset", b"link"),
        *(b"x-ratelimit-limit-requests", b"x-ratelimit-limit-tokens"),
        *(b"x-ratelimit-remaining-requests", b"x-ratelimit-remaining-tokens"),
        *(b"x-ratelimit-reset-requests", b"x-ratelimit-reset-tokens"),
    ]
)
MAX_AGE_SECONDS = b"600"
ANY = "*"

HeaderList = list[tuple[bytes, bytes]]


class Origins:
    """The origins that some key, or the setting, allows."""

    def __init__(self, setting: frozenset[str]) -> None:
        self._setting = setting
        self._of_keys: frozenset[str] = frozenset()

    def learn(self, principals: Iterable[Principal]) -> None:
        self._of_keys = frozenset(origin for each in principals for origin in each.origins)

    def preflight(self, origin: bytes, asked_headers: bytes) -> HeaderList:
        """Return the headers that answer OPTIONS; without the origin's own, browsers go no further."""
        headers = [(b"vary", b"origin")]
        if self._allows(origin, self._of_keys):
            headers += [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-methods", METHODS),
                (b"access-control-max-age", MAX_AGE_SECONDS),
            ]
            if asked_headers:
                headers.append((b"access-control-allow-headers", asked_headers))
        return headers

    def marks(self, origin: bytes, principal: Principal | None) -> HeaderList:
        """Return the headers of an answer; without a principal the request was refused before it was known."""
        allowed = self._of_keys if principal is None else frozenset(principal.origins)
        if not self._allows(origin, allowed):
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"origin"),
        ]

    def _allows(self, origin: bytes, named: frozenset[str]) -> bool:
        text = origin.decode("latin-1")
        return bool(origin) and any(
            text in allowed or ANY in allowed for allowed in (self._setting, named)
        )
