"""The known cast, and a whole register, for every test of the register."""

import pytest

from tests.integration.federation.world import World
from tests.support.factories import Cast
from tests.support.kept import Kept
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def world(db: None, kept_world: Kept[World]) -> World:
    return kept_world.put_back()
