"""The file of a backup: whole, or refused with the reason, whatever was done to it."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.launch.archive import Archive, describe, read_archive, write_archive
from config.launch.console import LaunchError

Change = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    folder = tmp_path / "parts"
    for name, content in (
        ("database.sql.gz", b"SELECT 1;"),
        ("limits.msgpack", b"counts"),
        ("secrets/pepper", b"hot\n"),
        ("spool/r-000001.spool", b"line"),
        ("stops.json", b"[]"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return describe(folder, "2026-11-25T13:00:00+00:00", ["access.0001_initial"])


@pytest.fixture
def file(archive: Archive, tmp_path: Path) -> Path:
    write_archive(archive, tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


def read(file: Path) -> Archive:
    folder = file.with_name("read")
    folder.mkdir()
    return read_archive(file, folder)


def changed(file: Path, change: Change) -> Path:
    """Return the file with its entries changed, as somebody would who knows the format."""
    with tarfile.open(file) as tar:
        entries = [(entry, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]  # all are files
    change(entries)
    with tarfile.open(file, "w") as tar:
        for entry, content in entries:
            entry.size = len(content) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(content))
    return file


def change_manifest(**fields: Any) -> Change:
    def change(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        entry, content = entries[0]
        entries[0] = (entry, json.dumps(json.loads(content) | fields).encode())

    return change


def add(name: str, kind: bytes = tarfile.REGTYPE) -> Change:
    def change(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        entries.append((entry, b""))

    return change


def test_what_is_written_is_read_again(archive: Archive, file: Path) -> None:
    found = read(file)

    assert found.manifest == archive.manifest
    assert found.files("secrets") == [found.folder / "secrets" / "pepper"]
    assert found.files("secrets")[0].read_bytes() == b"hot\n"


def test_nobody_else_may_read_the_file_or_what_is_laid_out_of_it(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in read(file).files("secrets")} == {0o600}


@pytest.mark.parametrize("end", [0, 1, 511, 700, 1024, -2048])
def test_a_file_that_was_cut_is_refused(file: Path, end: int) -> None:
    # A tar ends in blocks of zeros, which may be missing without harm.
    content = file.read_bytes().rstrip(b"\0")
    file.write_bytes(content[:end])

    with pytest.raises(LaunchError, match="no whole backup"):
        read(file)


def test_a_changed_byte_is_found(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"SELECT 1;", b"SELECT 2;"))

    with pytest.raises(LaunchError, match=r"database\.sql\.gz is damaged"):
        read(file)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_manifest(product="other"), "no whole backup.*product"),
        (change_manifest(format=2), "its format is 2, this version reads 1"),
        (change_manifest(parts={}), "it holds no database"),
        (change_manifest(parts=[]), "no whole backup"),
        (lambda entries: entries.pop(0), "does not begin with a manifest"),
        (lambda entries: entries.pop(1), r"database\.sql\.gz is missing"),
        (add("spool/../../evil"), "has no place in it"),
        (add("/etc/evil"), "has no place in it"),
        (add("spool/.hidden"), "has no place in it"),
        (add("stopsXjson"), "has no place in it"),
        (add("spool/link", tarfile.SYMTYPE), "has no place in it"),
        (add("spool/r-000001.spool"), "has no place in it"),
        (add("spool/more.spool"), "is not in its manifest"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    file: Path, change: Change, reason: str
) -> None:
    changed(file, change)

    with pytest.raises(LaunchError, match=reason):
        read(file)


def test_no_tar_and_no_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello\n" * 1000)

    with pytest.raises(LaunchError, match="no whole backup"):
        read_archive(tmp_path / "text", tmp_path)
    with pytest.raises(LaunchError, match="cannot be read: No such file"):
        read_archive(tmp_path / "absent", tmp_path)


def test_a_failure_while_writing_leaves_no_half_file(archive: Archive, tmp_path: Path) -> None:
    (archive.folder / "spool/r-000001.spool").unlink()

    with pytest.raises(OSError, match="No such file"):
        write_archive(archive, tmp_path / "backup.tar")

    assert not (tmp_path / "backup.tar").exists()
