"""What every test needs: static files uncollected, no timed properties, a database that may be emptied, a language."""

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

from tests.support.kept import kept_cast, kept_world

__all__ = ["kept_cast", "kept_world"]

# A machine that is busy with something else must not fail a property.
hypothesis.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Plain addresses instead of hashed ones; browser tests serve the collected files in a process of their own."""
    settings.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    # Tables that only grow refuse TRUNCATE to everybody else.
    settings.DATABASES["default"]["OPTIONS"]["options"] = "-c ilaas.may_truncate=on"
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def _the_products_own_language() -> None:
    """Each test begins in it, whatever language an earlier one has asked a page in."""
    translation.activate(settings.LANGUAGE_CODE)
