"""The known cast, and plain static files, for the tests of membership and of people."""

import pytest

from tests.support.factories import Cast
from tests.support.kept import Kept
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture
def cast(db: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()
