"""`make check` tells every verdict, and fails when one is bad."""

from pathlib import Path

import pytest

from config.launch import __main__, quality
from config.launch.quality import check, throwaway_settings

GOOD = ("-c", "print('quiet')")
BAD = ("-c", "import sys; sys.exit('three lines are too long')")


@pytest.fixture
def translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in which every text is translated: it has none."""
    monkeypatch.setattr(quality, "ROOT", tmp_path)


def verdicts(shown: str) -> list[list[str]]:
    lines = [line.split() for line in shown.splitlines()]
    return [line[:2] for line in lines if line and line[0] in {"ok", "FAILED"}]


@pytest.mark.usefixtures("translated")
def test_all_checks_run_and_say_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "CHECKS", {"first": GOOD, "second": GOOD})
    assert check() == 0
    shown = capsys.readouterr().out
    assert verdicts(shown) == [["ok", "first"], ["ok", "second"], ["ok", "translations"]]
    assert "quiet" not in shown


@pytest.mark.usefixtures("translated")
def test_a_check_that_fails_shows_why_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "CHECKS", {"first": BAD, "second": GOOD})
    assert check() == 1
    shown = capsys.readouterr().out
    assert verdicts(shown) == [["FAILED", "first"], ["ok", "second"], ["ok", "translations"]]
    assert "three lines are too long" in shown


@pytest.mark.usefixtures("translated")
def test_a_missing_translation_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = tmp_path / "locale" / "fr" / "LC_MESSAGES" / "django.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text('msgid ""\nmsgstr ""\n\nmsgid "Server"\nmsgstr ""\n')
    monkeypatch.setattr(quality, "CHECKS", {})
    assert check() == 1
    assert f"{catalogue}:4: Server" in capsys.readouterr().out


def test_checks_see_no_secret_and_no_database_of_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PEPPER", "the real one")
    monkeypatch.setenv("DATABASE_URL", "postgresql://real/one")
    with throwaway_settings() as environment:
        assert "real" not in environment["PEPPER"]
        assert "real" not in environment["DATABASE_URL"]
        assert Path(environment["VAR"]).is_dir()
    assert not Path(environment["VAR"]).exists()


def test_an_unknown_command_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert __main__.main(["rum"]) == 2
    assert "run,rehearse,serve,backup,restore,test" in capsys.readouterr().out


def test_files_of_another_user_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(command: str) -> int:
        raise PermissionError(13, "Permission denied", "/data/log/router.log")

    monkeypatch.setattr("config.launch.commands.start", refuse)
    assert __main__.main(["run"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("/data/log/router.log belongs to another user")
    assert told.count("\n") == 1
