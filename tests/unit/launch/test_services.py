"""The processes of a copy: what they are told, and how long they may take to end."""

import socket
import sys
from pathlib import Path

import pytest

from config.launch.environment import Place
from config.launch.processes import Program
from config.launch.services import Services, Simulator
from routing.gateway.settings import read_limits


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path, "127.0.0.1", 8000)


@pytest.mark.parametrize(("command", "seconds"), [("run", 4), ("rehearse", 4), ("serve", 59)])
def test_the_router_lets_streams_go_on_for_nearly_as_long_as_it_is_waited_for(
    place: Place, command: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAIN_SECONDS", raising=False)
    router = Services(place, "postgresql:///ilaas", command).router()

    assert read_limits(router.environment).drain_seconds == seconds
    assert router.grace == seconds + 1


def test_who_runs_it_may_shorten_that(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", "7")

    router = Services(place, "postgresql:///ilaas", "serve").router()

    assert read_limits(router.environment).drain_seconds == 7


def test_who_runs_it_may_lengthen_that_and_it_is_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", "600")

    router = Services(place, "postgresql:///ilaas", "serve").router()

    assert read_limits(router.environment).drain_seconds == 600
    assert router.grace == 601


def test_the_simulator_starts_only_where_its_ports_are_free(tmp_path: Path) -> None:
    def program(name: str) -> Program:
        return Program(name, (sys.executable, "-c", ""), tmp_path / f"{name}.log")

    configuration = tmp_path / "simulator.json"
    simulator = Simulator(program("simulator"), configuration, program("demo"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        configuration.write_text(f'{{"servers": [{{"host": "127.0.0.1", "port": {port}}}]}}')
        simulator.spawn().wait()
        assert (tmp_path / "demo.log").exists()
        (tmp_path / "demo.log").unlink()
    simulator.spawn().wait()
    assert not (tmp_path / "demo.log").exists()
