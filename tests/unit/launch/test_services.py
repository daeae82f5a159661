"""The processes of a copy: what they are told, and how long they may take to end."""

from pathlib import Path

import pytest

from config.launch.environment import Place
from config.launch.services import Services
from routing.gateway.settings import read_limits


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path, "127.0.0.1", 8000)


@pytest.mark.parametrize(("command", "seconds"), [("run", 4), ("serve", 59)])
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
