"""The text of API keys: how one is made, recognised and abbreviated. Digests are `routing.core.keys`.

`ilaas_live_<8 id>_<43 secret><6 checksum>`, all base 62. The secret carries 256 bits; the checksum lets a
scanner tell a key from look-alikes, and a form tell a typing error, without asking the database.
"""

import re
import secrets
import string
import zlib

from routing.upstream.credentials import Secret

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
BRAND = "ilaas_live"
HIDDEN = "•"
"""Shown of a key that is too short to show anything of."""
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 8, 43, 6
KEY_PATTERN = re.compile(
    rf"{BRAND}_[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}"
)


def new_key() -> Secret:
    """Return the text of a new key, to be shown once."""
    body = f"{BRAND}_{_random(ID_LENGTH)}_{_random(SECRET_LENGTH)}"
    return Secret(body + checksum(body))


def is_well_formed(text: str) -> bool:
    """Whether `text` is a key of ours without a typing error; it may still be unknown or revoked."""
    if not KEY_PATTERN.fullmatch(text):
        return False
    return checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]


def abbreviate(text: str) -> tuple[str, str]:
    """Return what may be shown of a key for ever: its beginning up to the id, and its last four characters.

    Of a key from elsewhere no more than an eighth at each end, as nobody knows what is secret in it.
    """
    if is_well_formed(text):
        return text[: len(BRAND) + 1 + ID_LENGTH], text[-4:]
    shown = min(len(text) // 8, 4)
    return (text[:shown], text[-shown:]) if shown else (HIDDEN, HIDDEN)


def checksum(body: str) -> str:
    """Return the CRC-32 of `body` in base 62; 62**6 exceeds 2**32, so it always fits."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
