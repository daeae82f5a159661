"""The known cast, two members' servers of one model, and a router to ask, for the pages to read."""

import pytest

from federation.fleet.models import Deployment
from tests.support.factories import Cast, serve_model
from tests.support.kept import Kept
from tests.support.load_feed import feed, run_dir
from tests.support.pages import plain_static

__all__ = ["feed", "plain_static", "run_dir"]


@pytest.fixture
def cast(db: None, plain_static: None, run_dir: object, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def at_rennes(cast: Cast) -> Deployment:
    return serve_model(cast.rennes, url="http://127.0.0.1:21001", credential="s3cret-of-rennes")


@pytest.fixture
def at_reims(cast: Cast) -> Deployment:
    return serve_model(cast.reims, url="http://127.0.0.1:21002")
