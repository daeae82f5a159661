"""What the launcher says to the person: a line a stage, a line a failure with the way out."""

import os
import sys
from pathlib import Path

TAIL_LINES = 12


class LaunchError(Exception):
    """Something the launcher cannot do; the text is one line that says what to do about it."""


def say(text: str = "") -> None:
    """Print a line now; a reader that went away (`make run | head`) does not stop the services."""
    try:
        print(text, flush=True)
    except OSError:
        # Python would complain once more when it flushes at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def stage(text: str) -> None:
    say(f"→ {text}")


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def tail(log: Path) -> str:
    """Return the last lines of a log, indented, or nothing when there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in lines)
