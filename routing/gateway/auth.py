"""Who asks: from the key in a request's headers to the principal that the table knows.

The key is looked up by its keyed digest, so how long a look-up takes says nothing about any key.
"""

from collections.abc import Callable

from routing.core.keys import MAX_KEY_LENGTH, digest
from routing.core.table import Principal, PrincipalsSection
from routing.gateway.errors import ApiError, Code

Header = Callable[[bytes], bytes]
"""Returns a request's header by its lower-case name, empty when it is absent."""


class SuspendedKey(ApiError):
    """The key is one of ours, and its institution is no member at present: nobody is guessing."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNKNOWN_KEY,
            "Unauthorized: the membership of this key's institution is suspended or has ended. "
            "The key works again when the institution is a member again; ask its IT department.",
        )


def authenticate(
    header: Header, pepper: bytes, principals: PrincipalsSection, now: float
) -> Principal:
    """Return the principal of a request; `now` is in Unix seconds. Raises `ApiError`, always 401."""
    key = _key(header)
    if len(key) > MAX_KEY_LENGTH:
        raise ApiError(Code.UNKNOWN_KEY)
    known_as = digest(pepper, key)
    principal = principals.by_digest.get(known_as)
    if principal is None:
        raise SuspendedKey if known_as in principals.suspended else ApiError(Code.UNKNOWN_KEY)
    if principal.expires_at is not None and principal.expires_at <= now:
        raise ApiError(Code.EXPIRED_KEY)
    return principal


def _key(header: Header) -> str:
    """Return `Authorization: Bearer KEY`, else `x-api-key`, as OpenAI's and Anthropic's clients send it."""
    if authorization := header(b"authorization"):
        words = authorization.split()
        if len(words) != 2 or words[0].lower() != b"bearer":
            raise ApiError(Code.MALFORMED_KEY)
        return _text(words[1])
    if key := header(b"x-api-key").strip():
        return _text(key)
    raise ApiError(Code.NO_KEY)


def _text(value: bytes) -> str:
    """Return a header's text: UTF-8, or Latin-1 from clients that follow the older rule."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
