"""What is left of a key's limits, beside a router that counts and one that is away."""

from pathlib import Path

import pytest

from federation.access.models import ApiKey
from federation.access.operations import set_limit
from routing.core.enums import Measure
from routing.dispatch.messages import Quota
from tests.support.factories import OPERATOR, Cast, make_application, make_key
from tests.support.fake_router import FakeRouter, listening_aside
from tests.support.pages import signed_in_as


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    made = make_key(make_application(cast.rennes, cast.rennes_user))[0]
    set_limit(by=OPERATOR, owner=made, measure=Measure.REQUESTS_PER_MINUTE, most=60)
    set_limit(by=OPERATOR, owner=cast.reims, measure=Measure.AT_ONCE, most=77)
    return made


def shown(cast: Cast, key: ApiKey) -> str:
    return signed_in_as(cast.rennes_user).get(f"/usage/limits/{key.pk}/").content.decode()


def test_what_the_router_counts_is_shown(cast: Cast, key: ApiKey, run_dir: Path) -> None:
    router = FakeRouter("r1")
    quota = Quota(limit=60, remaining=42, reset_ms=30_000)
    router.quotas = {str(key.pk): {Measure.REQUESTS_PER_MINUTE: quota}}

    with listening_aside(router, run_dir / "router.sock"):
        page = shown(cast, key)

    assert ">42<" in page
    assert "77" not in page


def test_a_router_that_is_away_is_told(cast: Cast, key: ApiKey, run_dir: Path) -> None:
    assert "<table" not in shown(cast, key)


def test_a_key_that_nothing_limits(cast: Cast, run_dir: Path) -> None:
    key = make_key(make_application(cast.rennes, cast.rennes_user))[0]

    with listening_aside(FakeRouter("r1"), run_dir / "router.sock"):
        assert "<table" not in shown(cast, key)
