"""The file of a backup: a tar of named parts behind a manifest with the digest of each.

It knows what may be in such a file and whether it is whole; what the parts mean is for `backup` and `restore`.
"""

import hashlib
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from config.launch.console import LaunchError
from routing.gateway.counts import FILE as LIMITS
from routing.gateway.stops import FILE as STOPS

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database.sql.gz"
SECRETS = "secrets"
SPOOL = "spool"
_FILES = "|".join(map(re.escape, (DATABASE, STOPS, LIMITS)))
_PART = re.compile(rf"{_FILES}|({SECRETS}|{SPOOL})/[A-Za-z0-9_][A-Za-z0-9._-]*")
_LARGEST_MANIFEST = 64 * 1024 * 1024  # bytes; a line for each part, and spools may have many
_BLOCK = 1024 * 1024


class Part(msgspec.Struct, frozen=True):
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The first entry of the file, as JSON."""

    product: Literal["ilaas"] = "ilaas"
    format: int = FORMAT
    made_at: str
    migrations: list[str]
    """Every migration of the database that is in it, as `app.name`."""
    parts: dict[str, Part]


class Archive(NamedTuple):
    """A backup's parts, laid out as files under `folder`, and what its manifest says."""

    folder: Path
    manifest: Manifest

    @property
    def size(self) -> int:
        return sum(part.size for part in self.manifest.parts.values())

    def files(self, folder: str) -> list[Path]:
        """Return the files of a folder of the archive."""
        return sorted(
            self.folder / name for name in self.manifest.parts if name.startswith(folder + "/")
        )


def describe(folder: Path, made_at: str, migrations: list[str]) -> Archive:
    """Return the archive that the files under `folder` make."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = {path.relative_to(folder).as_posix(): measure(path) for path in paths}
    return Archive(folder, Manifest(made_at=made_at, migrations=migrations, parts=parts))


def measure(path: Path) -> Part:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
        return Part(file.tell(), digest.hexdigest())


def write_archive(archive: Archive, target: Path) -> None:
    """Write the file, of mode 600, whole or not at all."""
    manifest = msgspec.json.format(msgspec.json.encode(archive.manifest), indent=1)
    (archive.folder / MANIFEST).write_bytes(manifest + b"\n")
    draft = archive.folder / "archive"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in (MANIFEST, *archive.manifest.parts):
                tar.add(archive.folder / name, name, recursive=False, filter=_nobodys)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who made it: the file may be read on another machine."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def read_archive(path: Path, folder: Path) -> Archive:
    """Lay out a backup under `folder`, each part compared with its digest. Raises `LaunchError`."""
    try:
        with tarfile.open(path, "r:") as tar:
            entries = _entries(tar)
            archive = _read_manifest(tar, next(entries, None), folder)
            found = {entry.name for entry in entries if _lay_out(tar, entry, archive)}
    except OSError as error:
        raise LaunchError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, msgspec.MsgspecError, ValueError, EOFError) as error:
        raise LaunchError(f"{path} is no whole backup of this product: {error}") from None
    if missing := sorted(archive.manifest.parts.keys() - found):
        raise LaunchError(f"{path} is no whole backup: {missing[0]} is missing")
    return archive


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the entries, which must be plain files of known names, each once."""
    seen = set()
    for entry in tar:
        is_known = entry.name == MANIFEST or _PART.fullmatch(entry.name)
        if not is_known or not entry.isreg() or entry.name in seen:
            raise ValueError(f"{entry.name!r} has no place in it")
        seen.add(entry.name)
        yield entry


def _read_manifest(tar: tarfile.TarFile, entry: tarfile.TarInfo | None, folder: Path) -> Archive:
    if entry is None or entry.name != MANIFEST or entry.size > _LARGEST_MANIFEST:
        raise ValueError("it does not begin with a manifest")
    file = tar.extractfile(entry)
    manifest = msgspec.json.decode(file.read() if file else b"", type=Manifest)
    if manifest.format != FORMAT:
        raise ValueError(f"its format is {manifest.format}, this version reads {FORMAT}")
    if DATABASE not in manifest.parts:
        raise ValueError("it holds no database")
    return Archive(folder, manifest)


def _lay_out(tar: tarfile.TarFile, entry: tarfile.TarInfo, archive: Archive) -> bool:
    """Write a part and compare it with what the manifest says of it."""
    if entry.name not in archive.manifest.parts:
        raise ValueError(f"{entry.name} is not in its manifest")
    target = archive.folder / entry.name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    source = tar.extractfile(entry)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for block in iter(lambda: source.read(_BLOCK) if source else b"", b""):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if measure(target) != archive.manifest.parts[entry.name]:
        raise ValueError(f"{entry.name} is damaged: its SHA-256 is not the manifest's")
    return True
