"""Where one copy of the product runs: data folder, folder for sockets, address, secrets.

The readers of what is decided here are `config/env.py` (Django) and `routing/gateway/settings.py`.
"""

import base64
import errno
import fcntl
import hashlib
import os
import secrets
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.launch.console import LaunchError

ROOT = Path(__file__).resolve().parent.parent.parent
# Linux takes 107 bytes for a socket's path; PostgreSQL's is `pg/.s.PGSQL.5432` in this folder.
LONGEST_RUN_DIR = 80
TIME_ZONE = "Europe/Paris"  # of every log, as of the pages
ENDING_SECONDS = 10.0  # for the children of a launcher that was killed: they end by themselves


@dataclass(frozen=True)
class Place:
    """One copy of the product: `var` holds what lasts, `run_dir` its sockets."""

    var: Path
    run_dir: Path
    host: str
    port: int

    @property
    def address(self) -> str:
        """The address to show and to ask; what listens everywhere also listens on loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def variables(self) -> dict[str, str]:
        """Return what every child finds in its environment."""
        return {
            "HOST": self.host,
            "PORT": str(self.port),
            "VAR": str(self.var),
            "TZ": os.environ.get("TZ", "") or TIME_ZONE,
            "RUN_DIR": str(self.run_dir),
            "TRUSTED_PROXIES": os.environ.get("TRUSTED_PROXIES", ""),
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "") or "INFO",
        }


def find_place(environ: Mapping[str, str]) -> Place:
    """Read PORT, HOST, VAR and RUN_DIR, and make the data folder for this user alone."""
    var = Path(environ.get("VAR") or ROOT / "var").expanduser().absolute()
    try:
        for folder in (var, var / "log", var / "secrets"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LaunchError(
            f"The data folder {var} cannot be used ({error.strerror}):"
            " name another one with VAR=/path"
        ) from None
    run_dir = Path(environ["RUN_DIR"]) if environ.get("RUN_DIR") else short_folder(var)
    return Place(var, run_dir, environ.get("HOST") or "127.0.0.1", read_port(environ.get("PORT")))


def read_port(text: str | None) -> int:
    try:
        port = int(text or 8000)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise LaunchError(f"PORT is {text!r}; it takes a number from 1 to 65535")
    return port


def short_folder(var: Path) -> Path:
    """Name the folder for sockets after the user and the data folder: each start finds it again.

    Not under XDG_RUNTIME_DIR: that folder goes when its user logs out, and services may stay.
    """
    name = hashlib.sha256(os.fsencode(var.resolve())).hexdigest()[:10]
    folders = [
        Path(base, f"ilaas-{os.getuid()}-{name}") for base in (tempfile.gettempdir(), "/tmp")
    ]
    return next((folder for folder in folders if is_short(folder)), folders[-1])


def is_short(run_dir: Path) -> bool:
    return len(os.fsencode(run_dir)) <= LONGEST_RUN_DIR


def make_private(run_dir: Path) -> None:
    """Make the folder for sockets, or accept one that nobody else can enter."""
    way_out = "name a short private folder with RUN_DIR=/path"
    if not is_short(run_dir):
        raise LaunchError(f"{run_dir} is too long a path for sockets: {way_out}")
    try:
        run_dir.mkdir(mode=0o700, exist_ok=True)
        status = run_dir.lstat()
    except OSError as error:
        raise LaunchError(f"{run_dir} cannot be made ({error.strerror}): {way_out}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise LaunchError(f"{run_dir} is not this user's alone: remove it, or {way_out}")


@contextmanager
def only_copy(place: Place) -> Iterator[bool]:
    """Hold the data folder; yields whether the copy before this one was killed.

    The lock's file names the running copy and is emptied by an orderly end.
    """
    with (place.var / "launcher.lock").open("a+") as file:
        file.seek(0)
        previous = file.read().strip()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LaunchError(
                f"A copy already runs on the data folder {place.var} ({previous}): use it, stop it,"
                f" or start a second one with PORT={next_port(place)} VAR=/another/folder"
            ) from None
        file.truncate(0)
        file.write(f"{place.address}, process {os.getpid()}")
        file.flush()
        try:
            yield bool(previous)
        finally:
            file.truncate(0)


def is_running(place: Place) -> bool:
    """Say whether a copy runs on the data folder."""
    with (place.var / "launcher.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def next_port(place: Place) -> int:
    return place.port % 65535 + 1


def check_port(place: Place, *, wait: bool) -> None:
    """Refuse a port that is taken; `wait` gives the children of a killed copy time to end."""
    deadline = time.monotonic() + (ENDING_SECONDS if wait else 0)
    while (
        problem := try_address(place.host, place.port)
    ) == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
    if problem == errno.EADDRINUSE:
        raise LaunchError(
            f"Port {place.port} is taken by another program:"
            f" choose a free one with PORT={next_port(place)}"
        )
    if problem:
        raise LaunchError(
            f"Nothing can listen on {place.host}:{place.port} ({os.strerror(problem)}):"
            " choose with HOST=127.0.0.1 and a PORT above 1023"
        )


def try_address(host: str, port: int) -> int:
    """Listen there for a moment; return the error's number, 0 for none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EADDRNOTAVAIL
    return 0


def new_token() -> str:
    return secrets.token_urlsafe(48)


def new_fernet_key() -> str:
    """Return 32 random bytes in the form that `cryptography.fernet.Fernet` takes."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


SECRETS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": new_token,
    "PEPPER": new_token,
    "ENCRYPTION_KEY": new_fernet_key,
}


def prepare_secrets(folder: Path, environ: Mapping[str, str]) -> None:
    """Make, once and for this user alone, each secret that the environment does not give."""
    for name, make in SECRETS.items():
        if not environ.get(name, "").strip():
            read_or_make(folder / name.lower(), make)


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in a file of mode 600, made now if there is none.

    A file without content is an error rather than a reason to make a new one: what the old one
    protected would be lost in silence.
    """
    if not path.exists():
        write_private(path, make() + "\n")
    path.chmod(0o600)
    if text := path.read_text().strip():
        return text
    raise LaunchError(f"{path} is empty: put the secret back, or remove the file for a new one")


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 600 whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
