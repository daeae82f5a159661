"""Files that operators' commands write: for this user alone, as they may hold secrets."""

import os
from pathlib import Path

from django.core.management.base import CommandError


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read. Raises `CommandError`."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # a file that was there keeps its own mode
            file.write(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
