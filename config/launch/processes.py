"""One child process: how it is started, how it is ended with everything it started itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from config.launch.environment import ROOT

GUARD = Path(__file__).with_name("guard.py")
LARGEST_LOG = 10 * 1024 * 1024  # bytes; a larger log is put aside, once, when its process starts


@dataclass(frozen=True)
class Program:
    """What to start. `grace` is in seconds, from the stop signal to the kill."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    folder: Path = ROOT
    identity: str = "same"
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    inherited: tuple[int, ...] = ()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, so that a terminal's Ctrl-C reaches the launcher alone.

        From the main thread only: the kernel ties the child's end to the thread that started it.
        """
        with open_log(self.log) as output:
            return subprocess.Popen(
                guarded(self.command, self.identity, self.stop_signal),
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self.inherited,
            )


def guarded(
    command: tuple[str, ...], identity: str, stop_signal: signal.Signals = signal.SIGTERM
) -> list[str]:
    """Return the command that becomes `command` under the guard's conditions."""
    guard = [sys.executable, "-I", "-S", str(GUARD)]
    return [*guard, str(os.getpid()), str(int(stop_signal)), identity, *command]


def open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def ask_to_end(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)


def sweep(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process's session, itself included, and wait for it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end(process: subprocess.Popen[bytes], stop_signal: signal.Signals, grace: float) -> None:
    """End a process and all it started, by force after `grace` seconds."""
    ask_to_end(process, stop_signal)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    sweep(process)


def describe_end(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with code {returncode}"
    return f"was ended by signal {-returncode} ({signal.Signals(-returncode).name})"
