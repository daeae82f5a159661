"""What tests of pages share: plain static files, so that no page needs `collectstatic`, and who is signed in."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from dashboards.demonstration import is_demonstration
from federation.people.models import User
from tests.support.factors import sign_in_fully

PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"


@pytest.fixture
def plain_static(settings: Settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": PLAIN}}


def signed_in_as(user: User) -> Client:
    """A browser in which `user` has signed in, with a second factor where the role demands one."""
    return sign_in_fully(Client(), user)


def queries_of(browser: Client, address: str) -> int:
    """Return how many queries a page takes, besides what is asked once a minute for all pages."""
    is_demonstration()
    with CaptureQueriesContext(connection) as captured:
        page = browser.get(address)
    assert page.status_code == 200
    return len(captured)
