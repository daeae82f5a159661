"""Servers' access tokens: sealed at rest for the id of their server, opened only to be sent.

The sealed text is Fernet's (AES-128-CBC, HMAC-SHA-256); the token is sealed together with the server's id, so
that a ciphertext moved to another row opens nothing.
"""

import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Secret:
    """A text that no log and no page shows by accident; `reveal` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__


KNOWN_KEYS = "known_keys"
"""In the data folder: which encryption keys the running router has."""


class UnsealError(Exception):
    """The sealed text was made with another key, for another server, or was changed."""


def load_keys(text: str) -> tuple[Fernet, ...]:
    """Return the keys in a comma-separated text: the first seals, all open. Raises `ValueError`."""
    return tuple(Fernet(part.strip()) for part in text.split(",") if part.strip())


def seal(server_id: str, token: Secret, keys: Sequence[Fernet]) -> str:
    return MultiFernet(keys).encrypt(f"{server_id}\n{token.reveal()}".encode()).decode()


def unseal(server_id: str, sealed: str, keys: Sequence[Fernet]) -> Secret:
    """Return the token that was sealed for this server. Raises `UnsealError`."""
    try:
        owner, _, token = MultiFernet(keys).decrypt(sealed.encode()).decode().partition("\n")
    except InvalidToken:
        raise UnsealError("not sealed with any of these keys") from None
    if owner != server_id:
        raise UnsealError("sealed for another server")
    return Secret(token)


def reseal(sealed: str, keys: Sequence[Fernet]) -> str:
    """Return the same secret sealed with the first key, unchanged when it is so already. Raises `UnsealError`."""
    try:
        keys[0].decrypt(sealed.encode())
    except InvalidToken:
        pass
    else:
        return sealed
    try:
        return MultiFernet(keys).rotate(sealed.encode()).decode()
    except InvalidToken:
        raise UnsealError("not sealed with any of these keys") from None


def known_keys(keys: Sequence[Fernet]) -> bytes:
    """Return lines by which a holder of one of these keys sees that it is among them; others learn nothing."""
    return b"\n".join(key.encrypt(b"known") for key in keys)


def is_known(key: Fernet, lines: bytes) -> bool:
    for line in lines.splitlines():
        try:
            key.decrypt(line)
        except InvalidToken:
            continue
        return True
    return False
