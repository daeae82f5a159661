"""A supervisor over small fake services: `python -m tests.integration.launch.rig FOLDER`.

Each fake writes `NAME start PID`, then `NAME end`, into FOLDER/events. `portal` has a child of its
own; `worker` does not heed the wish to end.
"""

import os
import signal
import sys
from pathlib import Path

from config.launch.commands import supervised
from config.launch.console import say
from config.launch.processes import Program

FAKE = """
import os, signal, subprocess, sys
name, events = sys.argv[1:]
def write(line):
    with open(events, "a") as file:
        file.write(line + "\\n")
def end(signum, frame):
    write(f"{name} end")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "worker" else end)
signal.signal(signal.SIGINT, end)
if name == "portal":
    child = subprocess.Popen(["sleep", "600"])
    write(f"grandchild start {child.pid}")
write(f"{name} start {os.getpid()}")
while True:
    signal.pause()
"""
NAMES = ("postgres", "router", "clerk", "portal", "worker")
GRACE_SECONDS = 1.0


def main(folder: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    with supervised() as supervisor:
        for name in NAMES:
            supervisor.start(
                Program(
                    name=name,
                    command=(sys.executable, "-c", FAKE, name, str(folder / "events")),
                    log=folder / f"{name}.log",
                    grace=GRACE_SECONDS,
                )
            )
        say(f"started {os.getpid()}")
        supervisor.wait_until(lambda: False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
