"""How tests look at processes: bounded waits, who is alive, who is whose child. Reads /proc."""

import time
from collections.abc import Callable
from pathlib import Path

WAIT_SECONDS = 20.0


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Return as soon as the condition holds; fail, naming what was waited for, if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for: {what}"
        time.sleep(0.02)


def state(pid: int) -> tuple[str, int]:
    """Return a process's state letter and parent; `X`, as for a dead one, if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return fields[0], int(fields[1])


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and whose parent has not looked does not."""
    return state(pid)[0] not in "ZX"


def children(pid: int) -> list[int]:
    everyone = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [other for other in everyone if is_alive(other) and state(other)[1] == pid]
