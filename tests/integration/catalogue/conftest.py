"""The known cast, a model in service at Rennes, and keys, for the pages about the life of models."""

import pytest

from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment
from tests.support.factories import Cast, make_model, serve_model
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
def model(deployment: Deployment) -> AIModel:
    return deployment.version.model


@pytest.fixture
def successor(cast: Cast) -> AIModel:
    return make_model("llama-3.3-70b")
