"""The file with the encryption keys in the data folder, and whether the running router has read it."""

import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet
from django.conf import settings

from routing.upstream.credentials import KNOWN_KEYS, is_known, load_keys

NAME = "ENCRYPTION_KEY"


def path() -> Path:
    return Path(settings.VAR) / "secrets" / NAME.lower()


def is_in_environment() -> bool:
    """Whether the keys come from the environment, which then decides, and which only its owner can change."""
    return bool(os.environ.get(NAME, "").strip())


def write(text: str) -> None:
    """Replace the file, for this user alone, whole or not at all. Raises `OSError`."""
    target = path()
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def with_new_key(text: str) -> str:
    """Return the list of keys with a new one in front, which seals from now on."""
    return ",".join([Fernet.generate_key().decode(), *parts_of(text)])


def parts_of(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def router_knows_first_key() -> bool | None:
    """Whether the router that last started on the data folder has the key that seals; None when none left word."""
    try:
        lines = (Path(settings.VAR) / KNOWN_KEYS).read_bytes()
    except OSError:
        return None
    return is_known(load_keys(settings.ENCRYPTION_KEY)[0], lines)
