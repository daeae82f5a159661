"""A database as one compressed file of SQL and back, by PostgreSQL's own tools of the embedded server's package.

Whole or not at all, in both directions. No password is ever on a command line.
"""

import gzip
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg.pq import Conninfo

from config.launch.console import LaunchError
from config.launch.postgres import clean_environment
from config.launch.postgres_identity import installed_binaries

# The package brings two sets of tools. What pg_dump 18 writes needs a server of 17 or newer to read it back.
TOOLS: Mapping[int, str] = {16: "pginstall", 18: "pginstall18"}
DUMP = ("pg_dump", "--format=plain", "--no-owner", "--no-privileges", "--compress=gzip:6")
LOAD = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")
# As initdb leaves the schema, but the role's own.
ANEW = (
    b"DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;\n"
)
TOO_NEW = (
    b"SET transaction_timeout = 0;\n"  # unknown before PostgreSQL 17; stands among the first lines
)
LEAVING_SECONDS = 3.0
_HEAD = 4096
_BLOCK = 64 * 1024


def dump_database(url: str, target: Path) -> None:
    """Write the database as it is at this moment, while it is used."""
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            [*_command(url, DUMP), f"--file={target}"],
            env=_environment(url),
            stdin=subprocess.DEVNULL,
            stderr=errors,
            check=False,
        )
        if done.returncode:
            raise LaunchError(f"The database cannot be saved: {_reason(errors.fileno())}")


def load_database(source: Path, url: str, *, replace: bool) -> None:
    """Bring a dump into the database in one transaction; with `replace`, in place of all that is there.

    The last word is ours: a script that breaks off, because somebody killed this process, is undone.
    """
    command, environment = _command(url, LOAD), _environment(url)
    unknown = TOO_NEW if server_version(url) < 17 else b""
    with gzip.open(source) as script, tempfile.TemporaryFile() as errors:
        loading = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        assert loading.stdin
        try:
            with suppress(BrokenPipeError), loading.stdin as commands:
                commands.write(b"BEGIN;\n" + (ANEW if replace else b""))
                commands.write(script.read(_HEAD).replace(unknown, b"", 1))
                shutil.copyfileobj(script, commands, _BLOCK)
                commands.write(b"COMMIT;\n")
        except BaseException:
            loading.kill()
            raise
        finally:
            loading.wait()
        if loading.returncode:
            raise LaunchError(
                f"The database cannot be restored, and is as it was: {_reason(errors.fileno())}"
            )


def is_empty(url: str) -> bool:
    """Say whether the database holds no table."""
    statement = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchone() == (0,)


def is_used(url: str) -> bool:
    """Say whether other clients stay connected to the database; one that has just left may still be seen."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + LEAVING_SECONDS
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(statement).fetchone() != (0,):
            if time.monotonic() > deadline:
                return True
            time.sleep(0.05)
    return False


def read_migrations(url: str) -> list[str]:
    """Return the migrations that the database has had, in order. Raises `LaunchError` where there are none."""
    statement = "SELECT app || '.' || name FROM django_migrations ORDER BY id"
    try:
        with psycopg.connect(url) as connection:
            return [name for (name,) in connection.execute(statement)]
    except psycopg.errors.UndefinedTable:
        raise LaunchError("The database holds nothing of this product: nothing is saved") from None


def server_version(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10_000


def _command(url: str, command: tuple[str, ...]) -> list[str]:
    """Return a command with the tools that fit the server."""
    version = server_version(url)
    fitting = [folder for newest, folder in TOOLS.items() if version <= newest]
    if not fitting:
        raise LaunchError(
            f"The database is PostgreSQL {version}, newer than this product's tools"
            f" ({max(TOOLS)}): use its own pg_dump"
        )
    program, *options = command
    return [str(installed_binaries().parent.parent / fitting[0] / "bin" / program), *options]


def _environment(url: str) -> dict[str, str]:
    """Return an address as the variables that PostgreSQL's tools read: command lines are for all to see."""
    options = Conninfo.parse(url.encode())
    given = {
        option.envvar.decode(): option.val.decode()
        for option in options
        if option.envvar and option.val is not None
    }
    return {**clean_environment(), **given}


def _reason(errors: int) -> str:
    """Return the first line that a tool wrote; those behind it are consequences, or hold people's data."""
    os.lseek(errors, 0, os.SEEK_SET)
    lines = os.read(errors, 4096).decode(errors="replace").splitlines()
    return lines[0] if lines else "no reason given"
