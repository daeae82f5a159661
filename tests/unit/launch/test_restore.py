"""What a restore refuses before it touches anything, and a backup before it begins."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.launch import backup, restore
from config.launch.archive import Archive, describe
from config.launch.console import LaunchError
from config.launch.environment import SECRETS, Place, find_place, only_copy
from routing.core.stops import Stop, Stopped
from routing.gateway.stops import read_stops, write_stops

NOW = datetime(2026, 11, 25, 13, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in (*SECRETS, "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAR", str(tmp_path / "var"))
    monkeypatch.setenv("RUN_DIR", str(tmp_path / "run"))
    return find_place(os.environ)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    folder = tmp_path / "parts" / "secrets"
    folder.mkdir(parents=True)
    for name in SECRETS:
        (folder / name.lower()).write_text(f"{name} of the backup\n")
    return describe(tmp_path / "parts", NOW.isoformat(), [])


def test_an_empty_folder_takes_the_backups_secrets(place: Place, archive: Archive) -> None:
    restore.check_secrets(place, archive, replace=False)


def test_the_same_secrets_are_no_obstacle(
    place: Place, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.var / "secrets" / "pepper").write_text("PEPPER of the backup")
    monkeypatch.setenv("SECRET_KEY", "SECRET_KEY of the backup")

    restore.check_secrets(place, archive, replace=False)


def test_other_secrets_are_given_up_only_when_that_is_asked_for(
    place: Place, archive: Archive
) -> None:
    (place.var / "secrets" / "pepper").write_text("another")

    with pytest.raises(LaunchError, match=r"secrets/pepper holds another secret.*REPLACE=1"):
        restore.check_secrets(place, archive, replace=False)
    restore.check_secrets(place, archive, replace=True)


@pytest.mark.parametrize("replace", [False, True])
def test_another_secret_in_the_environment_would_win_and_is_refused(
    place: Place, archive: Archive, monkeypatch: pytest.MonkeyPatch, replace: bool
) -> None:
    monkeypatch.setenv("PEPPER", "another")

    with pytest.raises(LaunchError, match="PEPPER in the environment is not the backup's") as error:
        restore.check_secrets(place, archive, replace=replace)
    assert "another" not in str(error.value)


def test_a_backup_without_a_secret_is_refused(place: Place, archive: Archive) -> None:
    (archive.folder / "secrets" / "pepper").write_text("")

    with pytest.raises(LaunchError, match="The backup holds no PEPPER"):
        restore.check_secrets(place, archive, replace=True)


def test_usage_in_the_spool_is_given_up_only_when_that_is_asked_for(place: Place) -> None:
    (place.var / "spool").mkdir()
    restore.check_usage(place, replace=False)
    (place.var / "spool" / "r-000001.spool").touch()

    with pytest.raises(LaunchError, match=r"spool holds usage.*REPLACE=1"):
        restore.check_usage(place, replace=False)
    restore.check_usage(place, replace=True)


def test_what_was_used_of_limits_is_given_up_only_when_that_is_asked_for(
    place: Place, archive: Archive
) -> None:
    (place.var / "spool").mkdir()
    (place.var / "limits.msgpack").write_bytes(b"the folder's")
    (archive.folder / "limits.msgpack").write_bytes(b"the backup's")

    with pytest.raises(LaunchError, match=r"limits\.msgpack holds usage.*REPLACE=1"):
        restore.check_usage(place, replace=False)
    restore.check_usage(place, replace=True)
    restore.bring_back_limits(place, archive)

    assert (place.var / "limits.msgpack").read_bytes() == b"the backup's"


def test_limits_of_which_the_backup_knows_no_use_begin_anew(place: Place, archive: Archive) -> None:
    (place.var / "limits.msgpack").write_bytes(b"the folder's")

    restore.bring_back_limits(place, archive)

    assert not (place.var / "limits.msgpack").exists()


def stopped(name: str, why: str) -> Stop:
    return Stop(what=Stopped.SERVER, id=name, name=name, why=why, since=1.0)


def test_a_restore_lifts_no_stop(place: Place) -> None:
    path = place.var / "stops.json"
    write_stops(path, [stopped("rennes-1", "now"), stopped("reims-1", "now")])

    restore.add_stops(path, [stopped("reims-1", "then"), stopped("orleans-1", "then")])

    assert [(stop.name, stop.why) for stop in read_stops(path)] == [
        ("rennes-1", "now"),
        ("reims-1", "now"),
        ("orleans-1", "then"),
    ]


@pytest.mark.parametrize("where", ["folder", "backup"])
def test_stops_that_cannot_be_read_are_found_before_anything_is_touched(
    place: Place, archive: Archive, where: str
) -> None:
    restore.check_stops(place, archive)
    path = (place.var if where == "folder" else archive.folder) / "stops.json"
    path.write_text("[{")

    with pytest.raises(LaunchError, match=r"What is stopped cannot be read in .*stops\.json"):
        restore.check_stops(place, archive)


def test_a_folder_in_which_nothing_was_stopped_or_limited_is_saved(
    place: Place, tmp_path: Path
) -> None:
    target = tmp_path / "copies"
    target.mkdir()
    backup.copy_routers_files(place.var, target)
    assert not list(target.iterdir())
    (place.var / "stops.json").write_text("[]")
    (place.var / "limits.msgpack").write_bytes(b"counts")

    backup.copy_routers_files(place.var, target)

    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        "stops.json": b"[]",
        "limits.msgpack": b"counts",
    }


def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    newer = describe(tmp_path, NOW.isoformat(), ["access.0001_initial", "access.9999_of_tomorrow"])

    with pytest.raises(LaunchError, match=r"does not know access\.9999_of_tomorrow"):
        restore.check_known(newer)


def test_nothing_is_restored_under_a_running_copy_or_router(place: Place, tmp_path: Path) -> None:
    with only_copy(place), pytest.raises(LaunchError, match="A copy already runs"):
        restore.restore([str(tmp_path / "backup.tar")])
    with restore.no_router(place), pytest.raises(LaunchError, match="A router runs"):
        restore.restore([str(tmp_path / "backup.tar")])


def test_another_users_folder_is_left_to_that_user(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: place.var.stat().st_uid + 1)

    with pytest.raises(LaunchError, match="belongs to user"):
        backup.backup([str(tmp_path / "b.tar")])
    with pytest.raises(LaunchError, match="belongs to user"):
        restore.restore([str(tmp_path / "b.tar")])


@pytest.mark.parametrize("arguments", [[], [""], ["--replace"], ["a.tar", "b.tar"]])
def test_a_restore_names_one_file(arguments: list[str]) -> None:
    with pytest.raises(LaunchError, match="Say which backup: FILE="):
        restore.restore(arguments)


@pytest.mark.parametrize("arguments", [[], [""], ["a.tar", "b.tar"]])
def test_a_backup_names_one_file(arguments: list[str]) -> None:
    with pytest.raises(LaunchError, match="Say where to: FILE="):
        backup.backup(arguments)


def test_a_backup_into_a_folder_is_named_after_its_moment(tmp_path: Path) -> None:
    assert backup.find_target([str(tmp_path)], NOW) == tmp_path / "ilaas-20261125T130000Z.tar"


def test_no_backup_is_overwritten_or_put_nowhere(tmp_path: Path) -> None:
    (tmp_path / "there.tar").touch()

    with pytest.raises(LaunchError, match="exists: name another file"):
        backup.find_target([str(tmp_path / "there.tar")], NOW)
    with pytest.raises(LaunchError, match="is no folder"):
        backup.find_target([str(tmp_path / "nowhere" / "b.tar")], NOW)


def test_a_folder_without_database_is_not_saved(place: Place, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="There is no database in"):
        backup.backup([str(tmp_path / "b.tar")])
    assert not list(tmp_path.glob("*.tar"))
    assert not list(tmp_path.glob(".ilaas-backup-*"))


def test_a_secret_that_is_nowhere_stops_the_backup(place: Place) -> None:
    with pytest.raises(LaunchError, match="PEPPER is not set"):
        backup.read_secret(place, "PEPPER")
    (place.var / "secrets" / "pepper").write_text("hot\n")
    assert backup.read_secret(place, "PEPPER") == "hot"
