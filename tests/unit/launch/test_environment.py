"""Where a copy runs: ports, folders, secrets, and one copy per data folder."""

import socket
import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.launch import environment
from config.launch.console import LaunchError
from config.launch.environment import (
    LONGEST_RUN_DIR,
    Place,
    check_port,
    find_place,
    make_private,
    only_copy,
    prepare_secrets,
    read_port,
    short_folder,
)


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def place_at(folder: Path, port: int) -> Place:
    return Place(var=folder, run_dir=folder, host="127.0.0.1", port=port)


def test_a_taken_port_is_told_in_one_line_with_the_way_out(
    tmp_path: Path, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    with listener, pytest.raises(LaunchError) as refusal:
        check_port(place_at(tmp_path, port), wait=False)
    assert str(refusal.value) == (
        f"Port {port} is taken by another program: choose a free one with PORT={port + 1}"
    )


def test_a_free_port_passes(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    check_port(place_at(tmp_path, port), wait=False)


def test_the_port_of_a_killed_copy_is_waited_for(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    ending = threading.Timer(0.2, listener.close)
    ending.start()
    check_port(place_at(tmp_path, port), wait=True)
    ending.join()
    assert listener.fileno() == -1


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LaunchError, match="from 1 to 65535"):
        read_port(text)


def test_the_usual_port_is_8000() -> None:
    assert read_port(None) == read_port("") == 8000


def test_a_service_that_listens_everywhere_is_shown_on_loopback(tmp_path: Path) -> None:
    assert Place(tmp_path, tmp_path, "0.0.0.0", 8000).address == "http://127.0.0.1:8000"
    assert Place(tmp_path, tmp_path, "::", 8000).address == "http://[::1]:8000"


def test_the_folder_for_sockets_is_short_however_long_the_data_folder(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a folder with a long name"] * 14)
    assert len(str(deep)) > 300
    assert len(bytes(short_folder(deep))) <= LONGEST_RUN_DIR
    assert short_folder(deep) == short_folder(deep)
    assert short_folder(deep) != short_folder(deep / "other")


def test_the_folder_for_sockets_is_short_even_where_temporary_files_lie_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp/" + "deep/" * 20)
    assert len(bytes(short_folder(tmp_path))) <= LONGEST_RUN_DIR


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    place = find_place({"VAR": str(tmp_path / "var"), "RUN_DIR": str(tmp_path / "run")})
    make_private(place.run_dir)
    for folder in (place.var, place.var / "log", place.var / "secrets", place.run_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_for_sockets_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(LaunchError, match="not this user's alone"):
        make_private(tmp_path)


def test_a_folder_for_sockets_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(LaunchError, match="not this user's alone"):
        make_private(tmp_path / "link")


def test_a_folder_for_sockets_with_a_long_path_is_refused() -> None:
    with pytest.raises(LaunchError, match="too long"):
        make_private(Path("/tmp") / ("x" * LONGEST_RUN_DIR))


def test_a_data_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError, match="name another one with VAR="):
        find_place({"VAR": str(tmp_path / "file" / "var")})


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    prepare_secrets(tmp_path, {})
    first = {path.name: path.read_text() for path in tmp_path.iterdir()}
    prepare_secrets(tmp_path, {})
    assert first == {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(first) == {"secret_key", "pepper", "encryption_key"}
    assert len(set(first.values())) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_the_encryption_key_is_one_that_fernet_takes(tmp_path: Path) -> None:
    prepare_secrets(tmp_path, {})
    Fernet((tmp_path / "encryption_key").read_text().strip())


def test_a_secret_that_the_environment_gives_is_not_written(tmp_path: Path) -> None:
    prepare_secrets(tmp_path, {"PEPPER": "given"})
    assert not (tmp_path / "pepper").exists()


def test_a_secret_left_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("kept\n")
    (tmp_path / "pepper").chmod(0o644)
    prepare_secrets(tmp_path, {})
    assert (tmp_path / "pepper").read_text() == "kept\n"
    assert stat.S_IMODE((tmp_path / "pepper").stat().st_mode) == 0o600


def test_an_emptied_secret_is_an_error_rather_than_replaced(tmp_path: Path) -> None:
    (tmp_path / "pepper").touch()
    with pytest.raises(LaunchError, match="pepper is empty"):
        prepare_secrets(tmp_path, {})


def test_a_second_copy_on_the_same_data_is_told_in_one_line(tmp_path: Path) -> None:
    first, second = place_at(tmp_path, 8000), place_at(tmp_path, 8001)
    with only_copy(first), pytest.raises(LaunchError) as refusal, only_copy(second):
        pass
    assert "A copy already runs on the data folder" in str(refusal.value)
    assert "http://127.0.0.1:8000" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_copy_that_was_killed_is_told_from_one_that_ended(tmp_path: Path) -> None:
    with only_copy(place_at(tmp_path, 8000)) as first:
        left_by_a_kill = (tmp_path / "launcher.lock").read_text()
    with only_copy(place_at(tmp_path, 8000)) as after_an_end:
        pass
    (tmp_path / "launcher.lock").write_text(left_by_a_kill)
    with only_copy(place_at(tmp_path, 8000)) as after_a_kill:
        pass
    assert (first, after_an_end, after_a_kill) == (False, False, True)


def test_a_start_that_was_refused_is_not_taken_for_a_killed_copy(tmp_path: Path) -> None:
    with pytest.raises(LaunchError), only_copy(place_at(tmp_path, 8000)):
        raise LaunchError("no port")
    with only_copy(place_at(tmp_path, 8000)) as predecessor_was_killed:
        assert not predecessor_was_killed


def test_a_private_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "database_url"
    environment.write_private(target, "old")

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        environment.write_private(target, "new")
    assert target.read_text() == "old"
