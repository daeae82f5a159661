"""`backup`: database, spool, secrets, stops and limits of a copy in one file, while it runs or while it rests.

The spool is read after the database, and held meanwhile: what had not reached the database when that was saved is in
the spool's part, and what is in both is stored once when it is restored. How to bring it back: `restore`.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from config.launch.archive import DATABASE, SECRETS, SPOOL, Archive, describe, write_archive
from config.launch.console import LaunchError, say, stage
from config.launch.dump import dump_database, read_migrations
from config.launch.environment import SECRETS as SECRET_NAMES
from config.launch.environment import Place, find_place, is_running, only_copy, write_private
from config.launch.postgres import EmbeddedPostgres
from config.launch.preparation import POSTGRES_LINK, check_database, sockets_folder
from routing.bridge import segments
from routing.gateway.counts import FILE as LIMITS
from routing.gateway.stops import FILE as STOPS

USAGE = "FILE=/path/of/the/backup.tar, or a folder for a name with the date"


def backup(arguments: Sequence[str]) -> int:
    """Save the copy into the file, or into a dated one in the folder, that the one argument names."""
    made_at = datetime.now(UTC)
    with told_in_a_line():
        target = find_target(arguments, made_at)
        place = find_place(os.environ)
        check_owner(place)
        with tempfile.TemporaryDirectory(prefix=".ilaas-backup-", dir=target.parent) as draft:
            with database(place) as url:
                archive = collect(place, url, Path(draft), made_at.isoformat(timespec="seconds"))
            write_archive(archive, target)
    spool = len(archive.files(SPOOL))
    say(
        f"→ Saved: database, {spool} files of the spool, {len(SECRET_NAMES)} secrets,"
        " what is stopped, what was used of limits"
    )
    say(f"  {target} ({target.stat().st_size / 1e6:.1f} MB): keep it as safe as the secrets in it")
    return 0


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """Tell a full disk or a database that went away in a line; a wish to end leaves no draft behind."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except PermissionError:
        raise
    except OSError as error:
        raise LaunchError(f"{error.filename or 'The file'}: {error.strerror or error}") from None
    except psycopg.Error as error:
        raise LaunchError(f"The database: {' '.join(str(error).split())}") from None
    finally:
        signal.signal(signal.SIGTERM, former)


def find_target(arguments: Sequence[str], now: datetime) -> Path:
    if len(arguments) != 1 or not arguments[0]:
        raise LaunchError(f"Say where to: {USAGE}")
    target = Path(arguments[0]).expanduser().absolute()
    if target.is_dir():
        target /= f"ilaas-{now:%Y%m%dT%H%M%SZ}.tar"
    if target.exists():
        raise LaunchError(f"{target} exists: name another file")
    if not target.parent.is_dir():
        raise LaunchError(f"{target.parent} is no folder: make it, for this user alone")
    return target


def check_owner(place: Place) -> None:
    """Refuse another user's data folder, root's wish too: files made in it would be in that user's way."""
    owner = place.var.stat().st_uid
    if owner != os.geteuid():
        raise LaunchError(f"{place.var} belongs to user {owner}: run as that one (sudo -u)")


@contextmanager
def database(place: Place) -> Iterator[str]:
    """Yield the address of the copy's database; an embedded one that rests is started for this time."""
    written = place.var / "database_url"
    if url := os.environ.get("DATABASE_URL", "").strip():
        check_database(url)
        yield url
    elif is_running(place):
        url = written.read_text().strip()
        check_database(url)
        yield url
    elif (place.var / "postgres" / "data").exists():
        with only_copy(place), sockets_folder(place), embedded(place) as url:
            yield url
    else:
        raise LaunchError(
            f"There is no database in {place.var}: name its data folder with VAR=/path,"
            " or its database with DATABASE_URL"
        )


@contextmanager
def embedded(place: Place) -> Iterator[str]:
    """Run the embedded PostgreSQL, made if there is none."""
    server = EmbeddedPostgres(
        place.var / "postgres", place.run_dir / POSTGRES_LINK, place.log("postgres")
    )
    try:
        yield server.start()
    finally:
        server.stop()


def collect(place: Place, url: str, folder: Path, made_at: str) -> Archive:
    """Lay out everything under `folder`."""
    spool = place.var / SPOOL
    spool.mkdir(mode=0o700, exist_ok=True)
    with segments.held(spool):
        stage("Saving the database")
        migrations = read_migrations(url)
        dump_database(url, folder / DATABASE)
        stage("Saving spool and secrets")
        copy_spool(spool, folder / SPOOL)
    copy_routers_files(place.var, folder)
    copy_secrets(place, folder / SECRETS)
    return describe(folder, made_at, migrations)


def copy_spool(spool: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for path in usage_files(spool):
        shutil.copyfile(path, target / path.name)


def copy_routers_files(var: Path, target: Path) -> None:
    """Copy what is stopped, and what was used of limits: each is replaced whole, and absent where there is nothing."""
    for name in (STOPS, LIMITS):
        with suppress(FileNotFoundError):
            shutil.copyfile(var / name, target / name)


def usage_files(spool: Path) -> list[Path]:
    """Return the segments of a spool, and what was put aside of some."""
    kinds = {".spool", ".damaged", ".rejected"}
    return sorted(path for path in spool.iterdir() if path.suffix in kinds)


def copy_secrets(place: Place, target: Path) -> None:
    """Write each secret into a file, wherever it comes from."""
    target.mkdir(mode=0o700)
    for name in SECRET_NAMES:
        write_private(target / name.lower(), read_secret(place, name) + "\n")


def read_secret(place: Place, name: str) -> str:
    """Return a secret that is in force. Raises `LaunchError` when it is nowhere."""
    path = place.var / SECRETS / name.lower()
    value = os.environ.get(name, "").strip() or (path.read_text().strip() if path.exists() else "")
    if not value:
        raise LaunchError(f"{name} is not set and {path} holds none: nothing is saved without it")
    return value
