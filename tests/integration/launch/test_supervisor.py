"""Services stay up, end in order and never outlive the supervisor: fakes in real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.launch.console import LaunchError
from config.launch.environment import ROOT
from config.launch.processes import Program
from config.launch.supervisor import Signals, Supervisor
from tests.integration.launch.rig import NAMES
from tests.support.processes import is_alive, wait_for


class Rig:
    """The supervisor's process, and what its services wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.launch.rig", str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_for(lambda: set(NAMES) <= set(self.pids()), "the start of every service")

    def events(self) -> list[str]:
        path = self.folder / "events"
        return path.read_text().splitlines() if path.exists() else []

    def pids(self) -> dict[str, int]:
        """Return the latest process of each service."""
        starts = [line.split() for line in self.events() if " start " in line]
        return {name: int(pid) for name, _, pid in starts}

    def end(self, signum: signal.Signals) -> str:
        """Signal the supervisor, wait for its end, and return what it said."""
        self.process.send_signal(signum)
        return self.process.communicate(timeout=30)[0]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    if rig.process.poll() is None:
        rig.end(signal.SIGTERM)


def test_a_service_that_dies_is_said_and_started_again(rig: Rig) -> None:
    first = rig.pids()["clerk"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: rig.pids()["clerk"] != first, "a new clerk")
    said = rig.end(signal.SIGTERM)
    assert "! clerk was ended by signal 9 (SIGKILL); starting it again in 0.1 s" in said
    assert said.count("\n!") == 1


def test_the_rest_of_a_service_that_dies_goes_with_it(rig: Rig) -> None:
    before = rig.pids()
    os.kill(before["portal"], signal.SIGKILL)
    wait_for(lambda: rig.pids()["portal"] != before["portal"], "a new portal")
    assert not is_alive(before["grandchild"])


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_services_end_in_order_and_leave_no_process(rig: Rig, signum: signal.Signals) -> None:
    pids = rig.pids()
    rig.end(signum)
    ends = [line.removesuffix(" end") for line in rig.events() if line.endswith(" end")]
    assert rig.process.returncode == 0
    assert (ends[0], set(ends[1:-1]), ends[-1]) == ("router", {"clerk", "portal"}, "postgres")
    assert not [name for name, pid in pids.items() if is_alive(pid)]


def test_a_kill_of_the_supervisor_takes_the_services_along(rig: Rig) -> None:
    pids = rig.pids()
    heedless = {pids.pop("worker"), pids.pop("grandchild")}
    rig.end(signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, pids.values())), "the end of the services")
    for pid in heedless:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    signals = Signals()
    with signals.caught():
        yield Supervisor(signals)


def program(folder: Path, code: str) -> Program:
    return Program(
        name="step", command=(sys.executable, "-c", code), log=folder / "log" / "step.log"
    )


def test_a_service_that_never_starts_fails_the_launch_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(program(tmp_path, "import sys; sys.exit('no table')"))

    def never() -> bool:
        supervisor.check_started()
        return False

    with pytest.raises(LaunchError, match=r"(?s)no table.*step does not start: see .*step\.log"):
        supervisor.wait_until(never)


def test_a_step_returns_what_it_wrote_this_time(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.run(program(tmp_path, "print('old')"))
    assert supervisor.run(program(tmp_path, "print('new')")) == "new\n"


def test_a_step_that_fails_is_told_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(LaunchError, match=r"(?s)no disk.*step ended with code 1: see .*step\.log"):
        supervisor.run(program(tmp_path, "import sys; sys.exit('no disk')"))
