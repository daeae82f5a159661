import pytest

from tests.support.factories import Cast
from tests.support.kept import Kept


@pytest.fixture
def cast(db: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()
