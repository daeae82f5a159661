"""What makes `.venv`: it knows when nothing is to do, and when what it finds cannot be trusted."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from config.launch import bootstrap
from config.launch.bootstrap import Environment, count_packages

BOOTSTRAP = Path(bootstrap.__file__)


@pytest.fixture
def locks(tmp_path: Path) -> tuple[Path, Path]:
    run, dev = tmp_path / "run.txt", tmp_path / "dev.txt"
    run.write_text("django==5.2\n")
    dev.write_text("django==5.2\npytest==9.0\n")
    return run, dev


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    folder = tmp_path / "venv"
    folder.mkdir()
    return Environment(folder)


@pytest.fixture
def working_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "run_pip", lambda python, lock, held: "")


@pytest.mark.usefixtures("working_pip")
def test_an_installed_lock_file_is_known_until_it_changes(
    venv: Environment, locks: tuple[Path, Path]
) -> None:
    run, _ = locks
    assert not venv.has(run)
    venv.install(run, 0)
    assert venv.has(run)
    run.write_text("django==5.3\n")
    assert not venv.has(run)


@pytest.mark.usefixtures("working_pip")
def test_the_packages_for_tests_contain_those_for_running_and_not_the_reverse(
    venv: Environment, locks: tuple[Path, Path]
) -> None:
    run, dev = locks
    venv.install(run, 0)
    assert not venv.has(dev)
    venv.install(dev, 0)
    assert venv.has(dev)
    assert venv.has(run)


def test_a_failure_of_pip_is_told_and_tried_again(
    venv: Environment, locks: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "run_pip", lambda python, lock, held: "no registry")
    with pytest.raises(SystemExit, match="no registry"):
        venv.install(locks[0], 0)
    assert not venv.has(locks[0])
    assert not venv.installing.exists()


def test_a_folder_left_by_a_kill_in_the_middle_does_not_work(
    venv: Environment, locks: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.python.parent.mkdir()
    venv.python.symlink_to(sys.executable)
    assert venv.works()

    def killed(python: Path, lock: Path, held: int) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "run_pip", killed)
    with pytest.raises(KeyboardInterrupt):
        venv.install(locks[0], 0)
    assert not venv.works()


@pytest.mark.parametrize("link", ["/nonexistent/python3", "/bin/false"])
def test_an_interpreter_that_does_not_run_is_not_trusted(venv: Environment, link: str) -> None:
    venv.python.parent.mkdir()
    venv.python.symlink_to(link)
    assert not venv.works()


def test_a_half_made_folder_is_made_again(venv: Environment) -> None:
    (venv.folder / "lib").mkdir()
    (venv.folder / "lib" / "rest").touch()
    venv.installing.touch()
    venv.make()
    assert venv.works()
    assert not (venv.folder / "lib" / "rest").exists()


def test_a_second_command_waits_for_the_first(
    venv: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    entered = threading.Event()

    def second() -> None:
        with Environment(venv.folder).alone():
            entered.set()

    waiting = threading.Thread(target=second)
    with venv.alone():
        waiting.start()
        assert not entered.wait(0.2)
    assert entered.wait(5)
    waiting.join()
    assert "Waiting for another command" in capsys.readouterr().out


def test_only_packages_for_this_machine_are_counted(tmp_path: Path) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text(
        "django==5.2.1 \\\n    --hash=sha256:00\n    # via ilaas\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:01\n"
        "uvloop==0.23.0 ; sys_platform != 'win32' \\\n    --hash=sha256:02\n"
    )
    assert count_packages(lock) == 2


def test_an_old_python_is_told_in_one_line() -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0);"
        f"runpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed, this is 3.9 ")
    assert done.stderr.count("\n") == 1
