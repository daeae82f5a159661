"""From a bare Python to the launcher: makes `.venv` and installs the locked packages.

Standard library only, and no syntax newer than Python 3.6, so that an old Python can still say
what is missing. It neither chooses versions (the lock files do) nor starts anything of the product
(`python -m config.launch` does).
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message is what this file must not lose
    sys.exit(
        f"Python 3.11 or newer is needed, this is {sys.version_info[0]}.{sys.version_info[1]}"
        f" ({sys.executable}); name another one: PYTHON=/path/to/python3.12"
    )

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The other commands check or test: they need dev.txt, which contains run.txt.
RUNNING = ("run", "rehearse", "serve", "backup", "restore", "compilemessages")
LOCK_OF = dict.fromkeys(RUNNING, "run.txt")
PROBE = (
    "import os, sys, sysconfig; "
    "sys.exit(sys.version_info < (3, 11) or not os.path.isdir(sysconfig.get_path('purelib')))"
)
PROGRESS_EVERY = 20  # packages between two lines where the output is no terminal


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


class Environment:
    """The folder `.venv`: its interpreter, and what is known to be installed in it.

    `.installed` names the lock files that are fully in, by digest; `.installing` exists while pip
    writes, so that what a kill leaves behind is recognised and made again. The folder may move and
    have any path, because its scripts, whose first line holds that path, are never used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.installed = folder / ".installed"
        self.installing = folder / ".installing"

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Hold the folder's lock, as a descriptor; a second command waits for the first one."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("→ Waiting for another command that is installing the packages")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file.fileno()

    def works(self) -> bool:
        """Say whether the interpreter runs, is recent enough and finds its own packages' folder."""
        command = [str(self.python), "-I", "-c", PROBE]
        try:
            if self.installing.exists() or not self.python.exists():
                return False
            return subprocess.call(command, stderr=subprocess.DEVNULL) == 0
        except OSError:
            return False

    def has(self, lock: Path) -> bool:
        return self.installed.exists() and digest(lock) in self.installed.read_text().split()

    def make(self) -> None:
        """Make the folder anew, without `ensurepip`, which Debian does not install with Python."""
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(str(entry))
            elif entry.name != ".lock":
                entry.unlink()
        command = [sys.executable, "-I", "-m", "venv", "--without-pip", str(self.folder)]
        made = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if made.returncode:
            reason = made.stdout.strip().rsplit("\n", 1)[-1]
            sys.exit(f"Python cannot make .venv (on Debian: apt install python3-venv): {reason}")

    def install(self, lock: Path, held: int) -> None:
        """Install a lock file; pip that fails undoes its own work, so the folder stays usable."""
        self.installing.touch()
        failed = run_pip(self.python, lock, held)
        if not failed:
            contained = lock.with_name("run.txt")
            self.installed.write_text(f"{digest(lock)}\n{digest(contained)}\n")
        self.installing.unlink()
        if failed:
            sys.exit(failed)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def vendored_pip() -> Path:
    wheels = sorted((ROOT / "vendor").glob("pip-*.whl"))
    if not wheels:
        sys.exit("vendor/pip-*.whl is missing: take the project's files again")
    return wheels[-1]


def count_packages(lock: Path) -> int:
    """Count the packages of a lock file that apply to this machine."""
    sys.path.insert(0, str(vendored_pip()))
    from pip._vendor.packaging.requirements import Requirement

    lines = [line.rstrip("\\ ") for line in lock.read_text().splitlines() if line[:1].isalnum()]
    markers = [Requirement(line).marker for line in lines]
    return sum(marker is None or marker.evaluate() for marker in markers)


def run_pip(python: Path, lock: Path, held: int) -> str:
    """Install what a lock file says; return why not, else nothing.

    pip inherits the held lock, so that a pip whose parent was killed is waited for too.
    """
    total = count_packages(lock)
    say(f"→ Installing {total} packages (requirements/{lock.name}), once")
    command = [str(python), str(vendored_pip() / "pip"), "install", "--require-hashes"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar=off", "--no-warn-script-location", "-r", str(lock)]
    pip = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[held],
    )
    try:
        lines = follow(pip, total)
    except KeyboardInterrupt:
        pip.terminate()
        raise
    finally:
        pip.wait()
    if not pip.returncode:
        return ""
    return "\n".join(lines[-12:]) + (
        "\nThe packages cannot be installed (pip's reasons are above): "
        "with a package registry in reach, run the same command again"
    )


def follow(pip: "subprocess.Popen[str]", total: int) -> "list[str]":
    """Show how far pip is; return its lines."""
    lines, seen = [], 0
    terminal = sys.stdout.isatty()
    for line in pip.stdout or ():
        lines.append(line.rstrip())
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            seen += 1
            if terminal:
                say(f"\r  {seen} of {total}", end="" if seen < total else "\n")
            elif seen % PROGRESS_EVERY == 0 or seen == total:
                say(f"  {seen} of {total}")
        elif line.startswith("Installing collected packages"):
            say("→ Unpacking them")
    return lines


def prepare(command: str) -> Path:
    """Make `.venv` fit for a command, which costs nothing when it is; return its interpreter."""
    lock = ROOT / "requirements" / LOCK_OF.get(command, "dev.txt")
    environment = Environment(ROOT / ".venv")
    with environment.alone() as held:
        works = environment.works()
        if not works:
            say(f"→ Making .venv with Python {sys.version_info[0]}.{sys.version_info[1]}")
            environment.make()
        if not works or not environment.has(lock):
            environment.install(lock, held)
    return environment.python


def interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    os.chdir(str(ROOT))
    signal.signal(signal.SIGTERM, interrupt)
    # A Python path of the caller's would put other versions before the locked ones.
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH"):
        os.environ.pop(name, None)
    try:
        python = str(prepare(sys.argv[1] if len(sys.argv) > 1 else ""))
    except KeyboardInterrupt:
        sys.exit("Interrupted; the same command starts over")
    except PermissionError as error:
        sys.exit(f"This folder must be writable for whoever runs the command: {error}")
    os.execv(python, [python, "-m", "config.launch", *sys.argv[1:]])


if __name__ == "__main__":
    main()
