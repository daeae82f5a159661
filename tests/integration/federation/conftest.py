"""The known cast, and a whole register, for every test of the register."""

import pytest

from tests.integration.federation.world import World, make_world
from tests.support.factories import Cast, make_cast
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def world(db: None) -> World:
    return make_world()
