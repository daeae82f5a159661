"""The embedded PostgreSQL, really started: awkward folders, kills, strangers."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from config.launch import postgres_identity
from config.launch.environment import ROOT
from config.launch.postgres import EmbeddedPostgres, InUseError
from tests.support.processes import children, is_alive, wait_for

FAST = {"fsync": "off"}
LAUNCHER = """
import sys
from pathlib import Path
from config.launch.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), {"fsync": "off"})
server.start()
print(server.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for a socket's, as the launcher makes one."""
    with tempfile.TemporaryDirectory(prefix="ilaas-test-") as folder:
        yield Path(folder)


@pytest.fixture
def server(tmp_path: Path, sockets: Path) -> Iterator[EmbeddedPostgres]:
    private = tmp_path / "a folder with spaces"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "postgres", sockets / "pg", private / "postgres.log", FAST)
    yield server
    server.stop()


def pid_of(server: EmbeddedPostgres) -> int:
    assert server.process is not None
    return server.process.pid


def kill_everything(server: EmbeddedPostgres) -> None:
    """Kill the server and each process it started, and wait until all are gone."""
    family = [pid_of(server), *children(pid_of(server))]
    for pid in family:
        with suppress(ProcessLookupError):  # the backend of a connection that just closed
            os.kill(pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()
    wait_for(lambda: not any(map(is_alive, family)), "the end of the killed server")


def remember(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE word (text text)")
        connection.execute("INSERT INTO word VALUES ('Élan')")


def recall(server: EmbeddedPostgres) -> str | None:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT lower(text) FROM word").fetchone()
    return str(row[0]) if row else None


def test_it_serves_an_ordinary_role_in_a_private_folder_with_spaces(
    server: EmbeddedPostgres,
) -> None:
    with psycopg.connect(server.start()) as connection:
        row = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, pg_encoding_to_char(encoding), datlocale"
            " FROM pg_roles, pg_database"
            " WHERE rolname = current_user AND datname = current_database()"
        ).fetchone()
    assert row == ("ilaas", False, True, "UTF8", "C.UTF-8")


def test_a_stop_keeps_the_data_and_leaves_no_process(server: EmbeddedPostgres) -> None:
    server.start()
    remember(server)
    family = [pid_of(server), *children(pid_of(server))]
    server.stop()
    assert not any(map(is_alive, family))
    server.start()
    assert recall(server) == "élan"


def test_a_wrong_password_is_refused_even_on_the_socket(server: EmbeddedPostgres) -> None:
    url = server.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url, password="wrong")


def test_no_password_is_written_to_the_log(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.url) as connection, pytest.raises(psycopg.Error):
        connection.execute("SELECT 'a secret' FROM nowhere")
    password = (server.folder / "password").read_text().strip()
    log = server.log.read_text()
    assert "nowhere" in log
    assert "a secret" not in log
    assert password not in log


def test_a_kill_of_everything_loses_no_data(server: EmbeddedPostgres) -> None:
    server.start()
    remember(server)
    kill_everything(server)
    server.start()
    assert recall(server) == "élan"


def test_a_left_number_that_names_a_living_process_does_not_prevent_the_start(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    kill_everything(server)
    stale = server.data / "postmaster.pid"
    lines = stale.read_text().splitlines()
    stale.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_second_server_on_the_same_data_is_refused(
    server: EmbeddedPostgres, sockets: Path
) -> None:
    server.start()
    second = EmbeddedPostgres(server.folder, sockets / "second", server.log, FAST)
    with pytest.raises(InUseError, match="Another PostgreSQL still runs"):
        second.spawn()


def test_a_start_that_is_given_up_leaves_no_process(server: EmbeddedPostgres) -> None:
    seen: list[int] = []

    def give_up(seconds: float) -> None:
        seen.append(pid_of(server))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        server.start(sleep=give_up)
    assert server.process is None
    assert not is_alive(seen[0])


def test_a_start_that_was_killed_while_making_the_data_begins_again(
    server: EmbeddedPostgres,
) -> None:
    half = server.folder / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert not half.exists()


def test_it_runs_in_a_path_of_more_than_300_characters(tmp_path: Path, sockets: Path) -> None:
    deep = tmp_path.joinpath(*["a folder with a long name"] * 14)
    assert len(str(deep)) > 300
    server = EmbeddedPostgres(deep, sockets / "pg", deep / "postgres.log", FAST)
    try:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()


def test_it_ends_with_a_launcher_that_is_killed(tmp_path: Path, sockets: Path) -> None:
    command = [sys.executable, "-c", LAUNCHER, str(tmp_path / "postgres"), str(sockets / "pg")]
    launcher = subprocess.Popen(
        [*command, str(tmp_path / "log")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with launcher:
        assert launcher.stdout is not None
        pid = int(launcher.stdout.readline())
        assert is_alive(pid)
        launcher.kill()
    wait_for(lambda: not is_alive(pid), "the end of PostgreSQL after its launcher's")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user of the machine can enter."""
    folder = Path(tempfile.mkdtemp(prefix="ilaas-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")
def test_root_without_user_namespaces_runs_a_copy_as_another_user(
    server: EmbeddedPostgres, reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = postgres_identity.runs

    def runs_without_namespaces(identity: str, binaries: Path) -> bool:
        return not identity.startswith("namespace") and runs(identity, binaries)

    monkeypatch.setattr(postgres_identity, "runs", runs_without_namespaces)
    monkeypatch.setattr(postgres_identity, "SHARED_FOLDERS", (str(reachable),))
    server.start()
    remember(server)
    assert Path(f"/proc/{pid_of(server)}").stat().st_uid == postgres_identity.SERVER_UID
    assert server.data.stat().st_uid == postgres_identity.SERVER_UID
    server.stop()

    monkeypatch.setattr(postgres_identity, "runs", runs)
    again = EmbeddedPostgres(server.folder, server.socket_link, server.log, FAST)
    again.start()
    try:
        assert recall(again) == "élan"
    finally:
        again.stop()
