"""The known cast and a model in service, for the pages about keys."""

import pytest

from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from tests.support.factories import Cast, make_application, make_key, serve_model
from tests.support.kept import Kept
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None, plain_static: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def deployment(cast: Cast) -> Deployment:
    return serve_model(cast.rennes)


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    """Of an application of Rennes's user."""
    return make_key(make_application(cast.rennes, cast.rennes_user, "moodle"))[0]
