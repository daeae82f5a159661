"""What is looked at before the services start."""

import dataclasses
import os
import socket
import stat
from pathlib import Path

import pytest

from config import env
from config.launch import preparation
from config.launch.console import LaunchError
from config.launch.environment import Place
from config.launch.preparation import (
    StaticFiles,
    check_database,
    remember_addresses,
    sockets_folder,
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one static file of its own and one of a room's."""
    root = tmp_path / "project"
    for folder in ("requirements", "static", "dashboards/static", "var"):
        (root / folder).mkdir(parents=True)
    (root / "requirements" / "run.txt").write_text("django==5.2.1\n")
    (root / "dashboards" / "__init__.py").touch()
    (root / "static" / "site.css").write_text("body {}")
    (root / "dashboards" / "static" / "chart.js").write_text("draw()")
    monkeypatch.setattr(preparation, "ROOT", root)
    return root


@pytest.fixture
def place(root: Path) -> Place:
    return Place(root / "var", root / "var", "127.0.0.1", 8000)


def collect(place: Place) -> None:
    (place.var / "static").mkdir(exist_ok=True)
    (place.var / "static" / "site.css").write_text("body {}")
    StaticFiles(place).collected()


def test_static_files_are_collected_once(place: Place) -> None:
    assert StaticFiles(place).changed()
    collect(place)
    assert not StaticFiles(place).changed()


@pytest.mark.parametrize(
    "changed", ["static/site.css", "dashboards/static/chart.js", "requirements/run.txt"]
)
def test_static_files_are_collected_again_when_one_changed(
    place: Place, root: Path, changed: str
) -> None:
    collect(place)
    (root / changed).write_text("something else")
    assert StaticFiles(place).changed()


def test_static_files_that_were_removed_are_collected_again(place: Place) -> None:
    collect(place)
    (place.var / "static" / "site.css").unlink()
    (place.var / "static").rmdir()
    assert StaticFiles(place).changed()


def test_an_address_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(LaunchError) as refusal:
        check_database("host=localhost word password:hidden")
    assert str(refusal.value) == (
        "DATABASE_URL is no address like postgresql://user:password@host/name"
    )


def test_a_database_out_of_reach_is_told_in_one_line_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LaunchError) as refusal:
        check_database(f"postgresql://ilaas:hidden@127.0.0.1:{port}/ilaas")
    assert str(refusal.value).startswith("The database of DATABASE_URL cannot be used: ")
    assert "hidden" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_given_database_is_accepted() -> None:
    check_database(os.environ["DATABASE_URL"])


def test_a_postgresql_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "OLDEST_POSTGRES", 99)
    with pytest.raises(LaunchError, match="99 or newer is needed"):
        check_database(os.environ["DATABASE_URL"])


def test_the_addresses_are_left_for_their_owner_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://ia.example.fr/")
    remember_addresses(place, "postgresql://ilaas:x@/ilaas")
    left = {name: place.var / name for name in ("database_url", "public_url")}
    assert left["database_url"].read_text().strip() == "postgresql://ilaas:x@/ilaas"
    assert left["public_url"].read_text().strip() == "https://ia.example.fr"
    assert {stat.S_IMODE(path.stat().st_mode) for path in left.values()} == {0o600}


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"PUBLIC_URL": "https://ia.example.fr/", "PORT": "8310"}, "https://ia.example.fr"),
        ({"PORT": "8310"}, "http://127.0.0.1:8310"),
        ({}, "http://127.0.0.1:8123"),
    ],
    ids=["said", "by its port", "as it was started"],
)
def test_a_command_typed_by_a_person_knows_the_portals_address(
    place: Place, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], address: str
) -> None:
    for name in ("PUBLIC_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAR", str(place.var))
    remember_addresses(dataclasses.replace(place, port=8123), "postgresql://")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert env.public_url() == address


def test_the_folder_for_sockets_is_emptied_of_a_killed_copys_and_removed(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path / "run", "127.0.0.1", 8000)
    place.run_dir.mkdir(mode=0o700)
    for name in ("router.sock", "portal.sock"):
        (place.run_dir / name).touch()
    (place.run_dir / "pg").symlink_to(tmp_path)
    with sockets_folder(place):
        assert list(place.run_dir.iterdir()) == []
        (place.run_dir / "router.sock").touch()
    assert not place.run_dir.exists()
    assert tmp_path.is_dir()


def test_a_folder_for_sockets_that_holds_other_things_stays(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path / "run", "127.0.0.1", 8000)
    with sockets_folder(place):
        (place.run_dir / "somebody's file").touch()
    assert [path.name for path in place.run_dir.iterdir()] == ["somebody's file"]
