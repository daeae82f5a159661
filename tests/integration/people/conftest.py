"""The known cast, and plain static files, for the tests of signing in."""

import pytest

from tests.support.factories import Cast, make_cast
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None, plain_static: None) -> Cast:
    return make_cast()
