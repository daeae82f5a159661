"""What tests of pages share: plain static files, so that no page needs `collectstatic`, and who is signed in."""

import pytest
from django.test import Client
from pytest_django import Settings

from federation.people.models import User

PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"


@pytest.fixture
def plain_static(settings: Settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": PLAIN}}


def signed_in_as(user: User) -> Client:
    """A browser in which `user` has signed in."""
    client = Client()
    client.force_login(user)
    return client
