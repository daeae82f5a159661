"""The embedded PostgreSQL: made, started, found ready and stopped, on a data folder of its own.

It listens on a socket only, under a name short enough for every system, and asks for a password
even there. As whom it runs is for `postgres_identity`, when to restart it for the supervisor.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.launch.console import LaunchError, tail
from config.launch.environment import read_or_make
from config.launch.postgres_identity import Identity, find_identity
from config.launch.processes import Program, describe_end, end, guarded

DATABASE = ROLE = "ilaas"
SUPERUSER = "postgres"
# Linux only: names the working folder by no path that must be walked or could be too long.
WORKING_FOLDER = "/proc/self/cwd"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "jit": "off",
    "log_min_error_statement": "panic",  # statements hold people's data: no log does
}
# The built-in locale needs none of the machine's and sorts alike everywhere.
LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
STARTING_SECONDS = 300.0  # the replay of a long log after a kill takes its time
OTHER_ENDING_SECONDS = 20.0  # for the processes of a server whose launcher was killed
INITDB_SECONDS = 120.0


class EmbeddedPostgres:
    """A server on `folder`; `socket_link` is the short path by which clients find its socket."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: SIGTERM would wait for the clients to leave
    grace = 30.0

    def __init__(
        self, folder: Path, socket_link: Path, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.socket_link = socket_link
        self.log = log
        self.settings = {**SETTINGS, **(settings or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._password = read_or_make(folder / "password", lambda: secrets.token_urlsafe(32))

    @property
    def url(self) -> str:
        return self._url(ROLE, DATABASE)

    def start(self, sleep: Callable[[float], None] = time.sleep) -> str:
        """Start, wait until it answers, provide role and database; return the address.

        `sleep` may raise to give up; then, as after any failure, nothing is left running.
        """
        deadline = time.monotonic() + OTHER_ENDING_SECONDS
        while self.process is None or self.process.poll() is not None:
            try:
                self.process = self.spawn()
            except InUseError:
                if time.monotonic() > deadline:
                    raise
                sleep(0.1)
            except LaunchError:
                sleep(0.0)  # a wish to stop ends initdb too
                raise
        try:
            self._wait_ready(self.process, sleep)
            self._provide_database()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, self.stop_signal, self.grace)
        self.process = None

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start without waiting. Raises `InUseError` while another server has the data."""
        identity = self._identity = self._identity or find_identity()
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUseError(f"Another PostgreSQL still runs on {self.folder}") from None
            if not self.data.exists():
                self._make_data(identity)
            give(self.data, identity.owner(identity.server))
            self._remove_stale_files()
            self._link_socket()
            # The server and all it starts inherit the lock: it is free when the last has ended.
            return self._program(identity, lock.fileno()).spawn()

    def _wait_ready(self, process: subprocess.Popen[bytes], sleep: Callable[[float], None]) -> None:
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                psycopg.connect(self._url(SUPERUSER, "postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                reason = str(error).strip().splitlines()[-1]
            if process.poll() is not None:
                ending = describe_end(process.returncode)
                raise LaunchError(f"{tail(self.log)}\nPostgreSQL {ending}: see {self.log}")
            if time.monotonic() > deadline:
                raise LaunchError(f"PostgreSQL does not answer ({reason}): see {self.log}")
            sleep(0.02)

    def _url(self, role: str, database: str) -> str:
        host = quote(str(self.socket_link), safe="")
        return f"postgresql://{role}:{quote(self._password)}@/{database}?host={host}"

    def _program(self, identity: Identity, lock: int) -> Program:
        options = [
            part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")
        ]
        command = (str(identity.binaries / "postgres"), "-D", self._own_name(), *options)
        return Program(
            name=self.name,
            command=command,
            log=self.log,
            environment=clean_environment(),
            folder=self.data,
            identity=identity.server,
            stop_signal=self.stop_signal,
            inherited=(lock,),
        )

    def _own_name(self) -> str:
        return WORKING_FOLDER if Path(WORKING_FOLDER).exists() else str(self.data)

    def _make_data(self, identity: Identity) -> None:
        """Make the data folder: whole, or not at all when something kills this."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        owner = identity.owner(identity.initdb)
        os.chown(draft, owner, -1)
        with tempfile.NamedTemporaryFile("w") as password:
            password.write(self._password)
            password.flush()
            os.chown(password.name, owner, -1)
            self._run_initdb(identity, draft, password.name)
        draft.rename(self.data)

    def _run_initdb(self, identity: Identity, draft: Path, password_file: str) -> None:
        target = WORKING_FOLDER if Path(WORKING_FOLDER).exists() else str(draft)
        access = ("--username", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}")
        command = (str(identity.binaries / "initdb"), "-D", target, "--encoding=UTF8")
        made = subprocess.run(
            guarded((*command, *LOCALE, *access), identity.initdb),
            cwd=draft,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=INITDB_SECONDS,
            check=False,
        )
        if made.returncode:
            reason = (made.stderr.strip() or "no reason given").splitlines()[-1]
            raise LaunchError(f"PostgreSQL's data cannot be made in {self.folder}: {reason}")

    def _remove_stale_files(self) -> None:
        """Remove what a killed server left, when it is certain that none runs.

        Inside a user namespace PostgreSQL takes a living stranger with its old number for itself
        and refuses to start. The lock is held here: only a server that was started by other means
        could be alive.
        """
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "comm").read_text() == "postgres\n" and (folder / "cwd").samefile(
                    self.data
                ):
                    raise InUseError(
                        f"Another PostgreSQL runs on {self.data}: process {folder.name}"
                    )
        for name in ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (self.data / name).unlink(missing_ok=True)

    def _link_socket(self) -> None:
        """Give the data folder, where the socket lies, a name short enough for a socket's path."""
        self.socket_link.unlink(missing_ok=True)
        self.socket_link.symlink_to(self.data.absolute())

    def _provide_database(self) -> None:
        """Make the product's role, an ordinary one, and its database."""
        with psycopg.connect(self._url(SUPERUSER, "postgres"), autocommit=True) as connection:
            role = sql.Identifier(ROLE)
            verifier = connection.pgconn.encrypt_password(
                self._password.encode(), ROLE.encode(), b"scram-sha-256"
            ).decode()
            if not connection.execute(
                "SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]
            ).fetchone():
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, verifier)
                )
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role)
                )


class InUseError(LaunchError):
    """The data folder still belongs to a living server."""


def clean_environment() -> dict[str, str]:
    """Return the caller's environment without what would lead PostgreSQL elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def give(folder: Path, uid: int) -> None:
    """Make `uid` the owner of a folder and all in it, if it is another's."""
    if folder.stat().st_uid == uid:
        return
    try:
        # The folder itself last: it then tells, after a kill in the middle, that the rest is done.
        for parent, _, files in os.walk(folder, topdown=False):
            for path in (*(os.path.join(parent, name) for name in files), parent):
                os.chown(path, uid, -1, follow_symlinks=False)
    except PermissionError:
        raise LaunchError(
            f"{folder} belongs to another user: run as that one,"
            " or name another data folder with VAR=/path"
        ) from None
