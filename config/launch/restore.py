"""`restore`: a backup brought into a data folder and a database that hold nothing, or in place of what they hold.

Everything is looked at before anything is touched. The database comes back in one transaction; secrets, stops, spool
and what was used of limits follow at once, by renaming.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.launch.archive import DATABASE, SECRETS, SPOOL, Archive, read_archive
from config.launch.backup import check_owner, embedded, told_in_a_line, usage_files
from config.launch.console import LaunchError, say, stage
from config.launch.dump import is_empty, is_used, load_database
from config.launch.environment import ROOT, Place, find_place, only_copy
from config.launch.environment import SECRETS as SECRET_NAMES
from config.launch.preparation import check_database, sockets_folder
from config.launch.quality import throwaway_settings
from routing.core.stops import Stop
from routing.gateway.counts import FILE as LIMITS
from routing.gateway.stops import FILE as STOPS
from routing.gateway.stops import alone, is_same, read_stops, write_stops

REPLACE = "--replace"
KNOWN = (
    "import django; django.setup();"
    "from django.db.migrations.loader import MigrationLoader;"
    "print(*('.'.join(key) for key in MigrationLoader(None).disk_migrations))"
)


def restore(arguments: Sequence[str]) -> int:
    """Restore the file that the first argument names; `--replace` behind it gives up what is there."""
    with told_in_a_line():
        source, replace = read_arguments(arguments)
        place = find_place(os.environ)
        check_owner(place)
        with (
            only_copy(place),
            no_router(place),
            sockets_folder(place),
            tempfile.TemporaryDirectory(prefix=".restoring-", dir=place.var) as folder,
        ):
            stage(f"Looking at {source}")
            archive = read_archive(source, Path(folder))
            check_known(archive)
            check_secrets(place, archive, replace=replace)
            check_usage(place, replace=replace)
            check_stops(place, archive)
            with database(place) as url:
                check_database_free(url, replace=replace)
                bring_back(place, archive, url, replace=replace)
    say(f"→ Restored: what was saved at {archive.manifest.made_at} ({archive.size / 1e6:.1f} MB)")
    say("  Start it as usual: that brings the tables up to date, and stores what the spool holds")
    if stops := read_stops(place.var / STOPS):
        say(f"  Stopped at once, as before: {', '.join(stop.name for stop in stops)}")
    return 0


def read_arguments(arguments: Sequence[str]) -> tuple[Path, bool]:
    files = [argument for argument in arguments if argument and argument != REPLACE]
    if len(files) != 1:
        raise LaunchError("Say which backup: FILE=/path/of/the/backup.tar")
    return Path(files[0]).expanduser().absolute(), REPLACE in arguments


@contextmanager
def no_router(place: Place) -> Iterator[None]:
    """Refuse a folder on which a router runs that no launcher started; keep others away meanwhile."""
    spool = place.var / SPOOL
    spool.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(spool, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchError(f"A router runs on {place.var}: stop it first") from None
        yield
    finally:
        os.close(descriptor)


def check_known(archive: Archive) -> None:
    """Refuse a database that has had migrations which this version does not know."""
    with throwaway_settings() as environment:
        listed = subprocess.run(
            [sys.executable, "-c", KNOWN],
            cwd=ROOT,
            env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
            capture_output=True,
            text=True,
            check=True,
        )
    known = set(listed.stdout.split())
    if unknown := [name for name in archive.manifest.migrations if name not in known]:
        raise LaunchError(
            f"The backup is of a newer version than this one, which does not know {unknown[0]}:"
            " restore it with that version"
        )


def check_secrets(place: Place, archive: Archive, *, replace: bool) -> None:
    """Refuse other secrets than the backup's: keys, sessions and servers' tokens of it would not work with them."""
    saved = {path.name: path.read_text().strip() for path in archive.files(SECRETS)}
    for name in SECRET_NAMES:
        if not saved.get(name.lower()):
            raise LaunchError(f"The backup holds no {name}: nothing is restored")
        given = os.environ.get(name, "").strip()
        if given and given != saved[name.lower()]:
            raise LaunchError(
                f"{name} in the environment is not the backup's: take it out, or set the right one"
            )
        path = place.var / SECRETS / name.lower()
        if not replace and path.exists() and path.read_text().strip() != saved[name.lower()]:
            raise LaunchError(f"{path} holds another secret than the backup: {way_out()}")


def check_usage(place: Place, *, replace: bool) -> None:
    """Refuse to give up what was used: of anything, in the spool, and of limits."""
    limits = place.var / LIMITS
    if not replace and (usage_files(place.var / SPOOL) or limits.exists()):
        raise LaunchError(
            f"{limits if limits.exists() else place.var / SPOOL} holds usage: {way_out()}"
        )


def check_stops(place: Place, archive: Archive) -> None:
    """Refuse stops that no router could start with."""
    for path in (archive.folder / STOPS, place.var / STOPS):
        try:
            read_stops(path)
        except ValueError as error:
            raise LaunchError(f"What is stopped cannot be read in {path}: {error}") from None


def way_out() -> str:
    return "name another data folder with VAR=/path, or give up what is there with REPLACE=1"


@contextmanager
def database(place: Place) -> Iterator[str]:
    """Yield the address of the database to restore into: that of DATABASE_URL, else the embedded one."""
    url = os.environ.get("DATABASE_URL", "").strip()
    if url:
        check_database(url)
        yield url
    else:
        with embedded(place) as url:
            yield url


def check_database_free(url: str, *, replace: bool) -> None:
    if not replace and not is_empty(url):
        raise LaunchError(f"The database is not empty: {way_out()}")
    if is_used(url):
        raise LaunchError("Others are connected to the database: stop the product first")


def bring_back(place: Place, archive: Archive, url: str, *, replace: bool) -> None:
    stage("Restoring the database")
    load_database(archive.folder / DATABASE, url, replace=replace)
    stage("Restoring secrets, stops, spool and limits")
    place_files(archive.files(SECRETS), place.var / SECRETS)
    add_stops(place.var / STOPS, read_stops(archive.folder / STOPS))
    for former in usage_files(place.var / SPOOL):
        former.unlink()
    place_files(archive.files(SPOOL), place.var / SPOOL)
    bring_back_limits(place, archive)
    # What a router remembers of another time would hold until the clerk speaks.
    shutil.rmtree(place.var / "table", ignore_errors=True)


def add_stops(path: Path, saved: Sequence[Stop]) -> None:
    """Add the backup's stops to the folder's, of which none is lifted: each was set for a reason of its own."""
    with alone(path):
        kept = read_stops(path)
        added = [stop for stop in saved if not any(is_same(stop, other) for other in kept)]
        if added:
            write_stops(path, [*kept, *added])


def bring_back_limits(place: Place, archive: Archive) -> None:
    """Put what was used of limits in the place of what the folder knew of them."""
    (place.var / LIMITS).unlink(missing_ok=True)
    saved = archive.folder / LIMITS
    place_files([saved] if saved.exists() else [], place.var)


def place_files(files: Sequence[Path], folder: Path) -> None:
    for path in files:
        shutil.move(path, folder / path.name)  # either may be a disk of its own
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
