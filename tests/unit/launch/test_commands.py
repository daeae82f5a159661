"""The commands that a person types: `make` and `.ci/run`, in any folder, with any arguments."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from config.launch.environment import ROOT

PYTHON = """#!/bin/sh
echo "ARGUMENTS $*"
echo "PORT $PORT VAR $VAR DATABASE_URL $DATABASE_URL"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that start everything, in a folder with a space, with a Python that is none."""
    folder = tmp_path / "my clone"
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


def make(clone: Path, *arguments: str, **variables: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(clone), "PYTHON=./python", *arguments],
        cwd="/",
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_variables_reach_the_launcher_from_make_and_from_the_environment(clone: Path) -> None:
    shown = make(
        clone, "run", "PORT=8017", "VAR=/data/of mine", DATABASE_URL="postgresql://u:a$b@h/d"
    )
    assert "ARGUMENTS config/launch/bootstrap.py run\n" in shown
    assert "PORT 8017 VAR /data/of mine DATABASE_URL postgresql://u:a$b@h/d\n" in shown


def test_arguments_of_the_tests_are_passed_on(clone: Path) -> None:
    shown = make(clone, "test", "ARGS=-k 'own server' -x")
    assert "ARGUMENTS config/launch/bootstrap.py test -k own server -x\n" in shown


def test_a_backups_file_is_passed_on_and_so_is_what_may_be_given_up(clone: Path) -> None:
    assert "bootstrap.py backup /my backups\n" in make(clone, "backup", "FILE=/my backups")
    assert "bootstrap.py restore /b.tar\n" in make(clone, "restore", "FILE=/b.tar")
    shown = make(clone, "restore", "FILE=/b.tar", "REPLACE=1")
    assert "bootstrap.py restore /b.tar --replace\n" in shown


def test_make_alone_lists_the_commands(clone: Path) -> None:
    shown = make(clone)
    assert "make run " in shown
    assert "make test " in shown
    assert "ARGUMENTS" not in shown


@pytest.mark.parametrize(
    ("output", "code", "expected"),
    [
        ("===== 3 passed in 1.20s =====", 0, 0),
        ("===== 3 passed, 1 skipped in 61.20s (0:01:01) =====", 0, 0),
        ("3 passed in 1.20s", 0, 0),
        ("===== 1 failed, 2 passed in 1.20s =====", 1, 1),
        ("===== no tests ran in 0.01s =====", 5, 1),
        ("===== 4 skipped in 0.01s =====", 0, 1),
        ("nothing at all", 0, 1),
    ],
)
def test_the_ci_passes_only_when_tests_ran_and_passed(
    clone: Path, output: str, code: int, expected: int
) -> None:
    (clone / "Makefile").write_text(f"test:\n\t@echo '{output}'; exit {code}\n")
    done = subprocess.run(
        [str(clone / ".ci" / "run")], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == expected
    closing = output if "nothing" not in output else "pytest did not finish"
    assert done.stdout.splitlines()[-1] == closing
