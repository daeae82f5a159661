"""What `make run` cannot do it says in one line, at once, before it starts anything."""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.launch.environment import ROOT


def run(var: Path, command: str = "run", **variables: str) -> subprocess.CompletedProcess[str]:
    left_out = {"DATABASE_URL", "RUN_DIR", "PORT", "HOST", "MAKELEVEL"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(
        [sys.executable, "-m", "config.launch", command],
        cwd=ROOT,
        env={**kept, "VAR": str(var), "RUN_DIR": str(var / "run"), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


@pytest.fixture
def short_var() -> Iterator[Path]:
    """A data folder that may hold sockets: pytest's own folders have long paths."""
    with tempfile.TemporaryDirectory(prefix="ilaas-test-") as folder:
        yield Path(folder)


def test_a_taken_port_is_told_before_anything_starts(short_var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert_refused(run(short_var, PORT=str(port)), f"Port {port} is taken", "PORT=")
    assert not (short_var / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("ENCRYPTION_KEY", "short"), ("TRUSTED_PROXIES", "foo"), ("MAX_BODY_BYTES", "much")],
)
def test_a_wrong_setting_is_told_before_anything_starts(
    short_var: Path, name: str, value: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    assert_refused(run(short_var, PORT=port, **{name: value}), name)
    assert not (short_var / "postgres").exists()


def test_a_second_copy_on_the_same_data_is_told(short_var: Path) -> None:
    with (short_var / "launcher.lock").open("w") as lock:
        lock.write("http://127.0.0.1:8000, process 1")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_refused(run(short_var), "already runs", "http://127.0.0.1:8000", "VAR=")


def test_a_database_out_of_reach_is_told(short_var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = str(server.getsockname()[1])
    done = run(short_var, PORT=free, DATABASE_URL=f"postgresql://u:hidden@127.0.0.1:{free}/d")
    assert done.returncode == 1
    assert "The database of DATABASE_URL cannot be used" in done.stderr
    assert "hidden" not in done.stdout + done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_none_is_told(short_var: Path) -> None:
    assert_refused(run(short_var, PORT="http"), "PORT is 'http'", "1 to 65535")


def test_nobody_rehearses_on_a_federation_that_is_no_rehearsal(short_var: Path) -> None:
    (short_var / "database_url").write_text("postgresql:///of-a-real-federation\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = str(server.getsockname()[1])

    assert_refused(run(short_var, "rehearse", PORT=free), "no rehearsal", "VAR=")
    assert_refused(
        run(short_var, "rehearse", PORT=free, DATABASE_URL="postgresql:///real"), "DATABASE_URL"
    )
