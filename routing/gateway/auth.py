"""Who asks: from the key in a request's headers to the principal that the table knows.

The key is looked up by its keyed digest, so how long a look-up takes says nothing about any key.
"""

from collections.abc import Callable, Mapping

from routing.core.keys import MAX_KEY_LENGTH, digest
from routing.core.table import Principal
from routing.gateway.errors import ApiError, Code

Header = Callable[[bytes], bytes]
"""Returns a request's header by its lower-case name, empty when it is absent."""


def authenticate(
    header: Header, pepper: bytes, by_digest: Mapping[str, Principal], now: float
) -> Principal:
    """Return the principal of a request; `now` is in Unix seconds. Raises `ApiError`, always 401."""
    key = _key(header)
    if len(key) > MAX_KEY_LENGTH:
        raise ApiError(Code.UNKNOWN_KEY)
    principal = by_digest.get(digest(pepper, key))
    if principal is None:
        raise ApiError(Code.UNKNOWN_KEY)
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
