"""The known cast, plain static files, and passwords that are checked in no time: these tests sign in a lot."""

import pytest
from pytest_django import Settings

from tests.support.factories import QUICK_HASHER, Cast
from tests.support.kept import Kept
from tests.support.pages import plain_static

__all__ = ["plain_static"]


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [QUICK_HASHER]


@pytest.fixture
def cast(db: None, plain_static: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()
