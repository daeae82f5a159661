"""The operators' page of what is stopped."""

from pathlib import Path

import pytest
from django.test import Client

from routing.core.stops import Stop, Stopped
from tests.support.factories import Cast
from tests.support.fake_router import FakeRouter, listening_aside
from tests.support.pages import signed_in_as

STOP = Stop(what=Stopped.MODEL, id="m1", name="mistral", why="<b>wrong answers</b>", since=1.0)


def test_what_the_router_was_told_to_stop_is_listed(cast: Cast, run_dir: Path) -> None:
    router = FakeRouter("r1")
    router.stops = (STOP,)

    with listening_aside(router, run_dir / "router.sock"):
        page = signed_in_as(cast.admin).get("/stops/").content.decode()

    assert "mistral" in page
    assert "&lt;b&gt;wrong answers" in page


def test_a_router_that_is_away_says_nothing_of_stops(cast: Cast, run_dir: Path) -> None:
    page = signed_in_as(cast.admin).get("/stops/").content.decode()

    assert "<table" not in page


@pytest.mark.parametrize("who", ["rennes_dsi", "rennes_user", "intruder"])
def test_the_page_is_for_the_federations_administrators(cast: Cast, who: str) -> None:
    assert signed_in_as(cast.people()[who]).get("/stops/").status_code == 403


def test_a_visitor_signs_in_first(cast: Cast) -> None:
    assert Client().get("/stops/").status_code == 302
