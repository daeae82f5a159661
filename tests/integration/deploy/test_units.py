"""systemd's units: read by `systemd-analyze` where it is installed, and their essentials in any case."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.launch.services import PATIENCE_SECONDS
from tests.support.product import ROOT

UNITS = ROOT / "deploy" / "systemd"
PYTHON = "/opt/ilaas/.venv/bin/python"
ANALYZE = shutil.which("systemd-analyze")
LAST_SECONDS = 40  # the other parts, then PostgreSQL
"""What systemd waits for besides the router."""


def read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd have capitals
    unit.read(UNITS / name)
    return unit


@pytest.mark.parametrize("name", ["ilaas.service", "ilaas-backup.service", "ilaas-backup.timer"])
def test_systemd_understands_it_where_it_is_installed(name: str, tmp_path: Path) -> None:
    for path in UNITS.glob("ilaas*.*"):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace(PYTHON, f'"{sys.executable}"'))
    assert read(name).sections()[0] == "Unit"
    if ANALYZE is None:
        return

    command = [ANALYZE, "verify", "--man=no", str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    complaints = [line for line in done.stderr.splitlines() if "ilaas" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_only_the_supervisor_is_asked_to_end_and_it_has_the_time_that_its_parts_take() -> None:
    service = read("ilaas.service")["Service"]

    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) >= PATIENCE_SECONDS["serve"] + LAST_SECONDS
    assert service["ExecStart"] == f"{PYTHON} -m config.launch serve"


@pytest.mark.parametrize("name", ["ilaas.service", "ilaas-backup.service"])
def test_a_service_may_write_nothing_but_its_data(name: str) -> None:
    service = read(name)["Service"]

    assert service["User"] == "ilaas"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"
