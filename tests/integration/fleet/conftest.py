"""The known cast and a server of Rennes, for the pages about servers."""

import pytest

from federation.fleet.models import Deployment
from tests.support.factories import Cast, serve_model
from tests.support.kept import Kept
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None, plain_static: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)
