"""What is looked at before the services start: the given database, old sockets, static files.

Tables and demonstration data are management commands, which see themselves what there is to do.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from config.launch.console import LaunchError
from config.launch.environment import ROOT, Place, make_private, write_private

OLDEST_POSTGRES = 15
CONNECT_SECONDS = 10
REHEARSAL = "rehearsal"  # the mark of a data folder that may be rehearsed in
POSTGRES_LINK = "pg"  # the name of PostgreSQL's socket folder among the sockets


def check_database(url: str) -> None:
    """Refuse a database that is out of reach or too old, never showing its password."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # libpq's own words would repeat the address, password included.
        raise LaunchError(
            "DATABASE_URL is no address like postgresql://user:password@host/name"
        ) from None
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise LaunchError(f"The database of DATABASE_URL cannot be used: {reason}") from None
    if version < OLDEST_POSTGRES:
        raise LaunchError(
            f"The database of DATABASE_URL is PostgreSQL {version}:"
            f" {OLDEST_POSTGRES} or newer is needed"
        )


def check_rehearsal(place: Place, environ: Mapping[str, str]) -> None:
    """Refuse to rehearse on a federation that is none: anybody reads the e-mails of a rehearsal."""
    if environ.get("DATABASE_URL", "").strip():
        raise LaunchError("A rehearsal brings a database of its own: unset DATABASE_URL")
    if (place.var / "database_url").exists() and not (place.var / REHEARSAL).exists():
        raise LaunchError(
            f"{place.var} belongs to a copy that is no rehearsal: name another folder with VAR=/path"
        )
    (place.var / REHEARSAL).touch()


def remember_addresses(place: Place, database_url: str) -> None:
    """Leave the database's address and the portal's where a `manage.py` typed by a person finds them."""
    write_private(place.var / "database_url", database_url + "\n")
    public_url = os.environ.get("PUBLIC_URL", "").strip() or f"http://127.0.0.1:{place.port}"
    write_private(place.var / "public_url", public_url.rstrip("/") + "\n")


@contextmanager
def sockets_folder(place: Place) -> Iterator[None]:
    """Make the folder for sockets, empty of what a killed copy left; remove it at the end.

    The data folder's lock is held, so none of the sockets is in use.
    """
    make_private(place.run_dir)
    remove_sockets(place.run_dir)
    try:
        yield
    finally:
        remove_sockets(place.run_dir)
        with suppress(OSError):
            place.run_dir.rmdir()


def remove_sockets(run_dir: Path) -> None:
    for path in (*run_dir.glob("*.sock"), run_dir / POSTGRES_LINK):
        path.unlink(missing_ok=True)


class StaticFiles:
    """Tells whether static files changed since they were collected, which takes seconds."""

    def __init__(self, place: Place) -> None:
        self._stamp = place.var / "static.stamp"
        self._target = place.var / "static"
        self._digest = hashlib.sha256(
            "\n".join(static_lines()).encode(errors="surrogateescape")
        ).hexdigest()

    def changed(self) -> bool:
        try:
            return self._stamp.read_text() != self._digest or not self._target.is_dir()
        except FileNotFoundError:
            return True

    def collected(self) -> None:
        self._stamp.write_text(self._digest)


def static_lines() -> Iterator[str]:
    """Yield a line for the packages, which bring their own files, and one for each file of ours."""
    yield hashlib.sha256((ROOT / "requirements" / "run.txt").read_bytes()).hexdigest()
    rooms = [
        path.parent for path in sorted({*ROOT.glob("*/__init__.py"), *ROOT.glob("*/*/__init__.py")})
    ]
    for folder in (ROOT, *rooms):
        for parent, folders, names in os.walk(folder / "static"):
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                status = path.stat()
                yield f"{path.relative_to(ROOT)} {status.st_size} {status.st_mtime_ns}"
