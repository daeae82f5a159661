"""What every test needs: pages that find their static files uncollected, and properties that are not timed."""

from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

# A machine that is busy with something else must not fail a property.
hypothesis.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Plain addresses instead of hashed ones; browser tests serve the collected files in a process of their own."""
    settings.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
