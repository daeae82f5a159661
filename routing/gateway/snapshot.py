"""The table on disk: what the router starts from while the clerk or the database is away.

It holds ids, digests and sealed tokens, in files for this user alone, each replaced whole.
"""

import logging
import os
import tempfile
from pathlib import Path

import msgspec

from routing.core.table import EMPTY, SECTIONS, Section, Table, section_name

logger = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Section).decode


def load_table(folder: Path) -> Table:
    """Return the table of the last run; a section that is missing or cannot be read stays empty."""
    table = EMPTY
    for name in SECTIONS:
        try:
            section = _decode((folder / f"{name}.msgpack").read_bytes())
            if section_name(section) != name:
                raise ValueError(f"it holds the section {section_name(section)}")
            table = table.replaced(section)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            logger.error("the snapshot of %s is ignored: %s", name, error)
    return table


def save_section(folder: Path, section: Section) -> None:
    """Write one section, whole or not at all. Raises `OSError`."""
    write_whole(folder / f"{section_name(section)}.msgpack", _encode(section))


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file, for this user alone, whole or not at all. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
