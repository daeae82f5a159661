"""How a key becomes the digest under which it is known. The key itself is nowhere stored."""

import hmac

MAX_KEY_LENGTH = 255


def digest(pepper: bytes, key: str) -> str:
    """Return the hexadecimal HMAC-SHA-256 of `key` under `pepper` (1.7 µs).

    No slow hash: a key carries 256 bits of its own, and this runs on every request.
    """
    return hmac.digest(pepper, key.encode(), "sha256").hex()
