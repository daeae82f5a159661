"""The known cast and a server of Rennes, for the pages about servers."""

import pytest

from federation.fleet.models import Deployment
from tests.support.factories import Cast, make_cast, serve_model
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None, plain_static: None) -> Cast:
    return make_cast()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)
