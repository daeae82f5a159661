"""A database to a file and back, on real servers: whole or as it was, also on an older PostgreSQL."""

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from config.launch import dump, postgres, postgres_identity
from config.launch.console import LaunchError
from config.launch.dump import (
    dump_database,
    is_empty,
    is_used,
    load_database,
    read_migrations,
    server_version,
)
from config.launch.environment import ROOT
from config.launch.postgres import EmbeddedPostgres
from tests.support.processes import wait_for

ROWS = """
CREATE TABLE ledger (id int PRIMARY KEY, note text NOT NULL);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'append only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO ledger SELECT n, 'é ' || n FROM generate_series(1, 10000) n;
"""


def another_database(url: str) -> Iterator[str]:
    """Yield the address of a new database on the server of `url`."""
    name = f"dump_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def source() -> Iterator[str]:
    for url in another_database(os.environ["DATABASE_URL"]):
        execute(url, ROWS)
        yield url


@pytest.fixture
def target() -> Iterator[str]:
    yield from another_database(os.environ["DATABASE_URL"])


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a database on PostgreSQL 16, whose binaries the package has too."""
    with tempfile.TemporaryDirectory(prefix="ilaas-test-") as folder:
        monkeypatch.setattr(postgres_identity, "MAJOR", dump.TOOLS[16])
        monkeypatch.setattr(postgres, "LOCALE", ("--locale=C",))
        path = Path(folder)
        server = EmbeddedPostgres(
            path / "postgres", path / "pg", path / "log", {"fsync": "off", "max_connections": "10"}
        )
        url = server.start()
        monkeypatch.undo()
        try:
            yield url
        finally:
            server.stop()


def execute(url: str, statements: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statements)


def notes(url: str) -> list[tuple[int, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT id, note FROM ledger ORDER BY id").fetchall()


def test_what_is_dumped_is_loaded_rows_and_rules(source: str, target: str, tmp_path: Path) -> None:
    dump_database(source, tmp_path / "dump")
    assert is_empty(target)

    load_database(tmp_path / "dump", target, replace=False)

    assert notes(target) == notes(source)
    with pytest.raises(psycopg.errors.RaiseException):
        execute(target, "DELETE FROM ledger")
    assert not is_empty(target)


def test_a_dump_of_this_server_is_loaded_into_an_older_one_and_back(
    source: str, target: str, older: str, tmp_path: Path
) -> None:
    assert server_version(older) < server_version(source)

    dump_database(source, tmp_path / "new")
    load_database(tmp_path / "new", older, replace=False)
    dump_database(older, tmp_path / "old")
    load_database(tmp_path / "old", target, replace=False)

    assert notes(target) == notes(source)


def test_a_database_is_replaced_whole(source: str, target: str, tmp_path: Path) -> None:
    dump_database(source, tmp_path / "dump")
    execute(target, "CREATE TABLE former (id int); CREATE TABLE ledger (wrong text);")

    load_database(tmp_path / "dump", target, replace=True)

    assert notes(target) == notes(source)
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute(target, "SELECT * FROM former")


@pytest.mark.parametrize("end", ["SELECT no_such_column;\n", "COPY ledger FROM stdin;\n1\tmore\n"])
def test_a_dump_that_fails_at_its_end_changes_nothing(
    source: str, target: str, tmp_path: Path, end: str
) -> None:
    dump_database(source, tmp_path / "dump")
    with gzip.open(tmp_path / "dump", "ab") as file:
        file.write(end.encode())
    execute(target, "CREATE TABLE former (id int)")

    with pytest.raises(LaunchError, match="is as it was"):
        load_database(tmp_path / "dump", target, replace=True)

    execute(target, "SELECT id FROM former")


LOADER = """
import sys
from pathlib import Path
from config.launch.dump import load_database
load_database(Path(sys.argv[1]), sys.argv[2], replace=True)
"""


def test_a_load_that_is_killed_changes_nothing(source: str, target: str, tmp_path: Path) -> None:
    dump_database(source, tmp_path / "whole")
    os.mkfifo(tmp_path / "dump")
    execute(target, "CREATE TABLE former (id int)")
    loading = subprocess.Popen(
        [sys.executable, "-c", LOADER, str(tmp_path / "dump"), target], cwd=ROOT
    )
    with (tmp_path / "dump").open("wb") as half:
        half.write((tmp_path / "whole").read_bytes())
        half.flush()
        wait_for(lambda: in_transaction(target), "the load to begin")
        loading.kill()
        loading.wait()
    wait_for(lambda: not is_used(target), "the load's connection to end")
    execute(target, "SELECT id FROM former")


def in_transaction(url: str) -> bool:
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'psql' AND xact_start IS NOT NULL"
    )
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchone() == (1,)


def test_who_is_connected_is_noticed(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "LEAVING_SECONDS", 0.0)
    with psycopg.connect(target):
        assert is_used(target)


def test_another_products_database_is_not_saved(source: str) -> None:
    with pytest.raises(LaunchError, match="holds nothing of this product"):
        read_migrations(source)


def test_a_newer_postgresql_than_the_tools_is_told(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "server_version", lambda url: max(dump.TOOLS) + 1)

    with pytest.raises(LaunchError, match="newer than this product's tools"):
        dump_database(source, tmp_path / "dump")


def test_no_password_is_on_a_command_line(source: str) -> None:
    password = urlsplit(source).password

    assert password
    assert not any(password in word for word in dump._command(source, dump.DUMP))
    assert dump._environment(source)["PGPASSWORD"] == password
