"""Who asks: from the key in a request's headers to the principal that the table knows.

The key is looked up by its keyed digest, so how long a look-up takes says nothing about any key.
"""

from collections.abc import Iterable, Mapping

from routing.core.keys import MAX_KEY_LENGTH, digest
from routing.core.table import Principal
from routing.gateway.errors import ApiError, Code

Headers = Iterable[tuple[bytes, bytes]]


def authenticate(
    headers: Headers, pepper: bytes, by_digest: Mapping[str, Principal], now: float
) -> Principal:
    """Return the principal of a request; `now` is in Unix seconds. Raises `ApiError`, always 401."""
    key = _key(headers)
    if len(key) > MAX_KEY_LENGTH:
        raise ApiError(Code.UNKNOWN_KEY)
    principal = by_digest.get(digest(pepper, key))
    if principal is None:
        raise ApiError(Code.UNKNOWN_KEY)
    if principal.expires_at is not None and principal.expires_at <= now:
        raise ApiError(Code.EXPIRED_KEY)
    return principal


def _key(headers: Headers) -> str:
    """Return `Authorization: Bearer KEY`, else `x-api-key`, as OpenAI's and Anthropic's clients send it."""
    found = dict(headers)
    if (authorization := found.get(b"authorization")) is not None:
        words = authorization.split()
        if len(words) != 2 or words[0].lower() != b"bearer":
            raise ApiError(Code.MALFORMED_KEY)
        return _text(words[1])
    if key := found.get(b"x-api-key", b"").strip():
        return _text(key)
    raise ApiError(Code.NO_KEY)


def _text(value: bytes) -> str:
    """Return a header's text: UTF-8, or Latin-1 from clients that follow the older rule."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
